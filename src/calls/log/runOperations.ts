// The API's operations on the call log. A list is answered from the database once everything written so far is in it;
// a single run is answered from memory while it is there, so that a live call shows what has just happened.
import { z } from "zod";
import type { Clock } from "../../domain/clock.ts";
import { GatewayError } from "../../domain/errors.ts";
import { RunId, WorkflowId } from "../../domain/ids.ts";
import { Encoded, type Operation, operation } from "../../http/operation.ts";
import type { Directory } from "../../numbers/directory.ts";
import type { Store } from "../../store/store.ts";
import { linksOf, type RunLinks } from "../recordings/links.ts";
import type { CallRecords } from "./records.ts";
import { REPORT_HEADER } from "./report.ts";
import {
  NO_WORKFLOW,
  type RunCondition,
  readUsageFilters,
  readWorkflowFilters,
  received,
} from "./runFilters.ts";
import {
  runDetailSchema,
  runListSchema,
  runParamsSchema,
  usageListSchema,
  usageQuerySchema,
  usageReportQuerySchema,
  workflowIdSchema,
  workflowReportQuerySchema,
  workflowRunsQuerySchema,
} from "./runSchemas.ts";
import type { ReportPlace, RunQuery } from "./runs.store.ts";
import { runDetail } from "./runView.ts";

export interface RunParts {
  readonly store: Pick<Store, "records" | "runs">;
  readonly records: Pick<CallRecords, "get" | "committed">;
  readonly directory: Pick<Directory, "workflow">;
  readonly clock: Clock;
  readonly links: RunLinks;
  readonly publicBase: () => string;
}

const JSON_TYPE = "application/json; charset=utf-8";
const CSV_TYPE = "text/csv; charset=utf-8";
/** One report is one answer, which the front thread holds whole and must make well within its time. */
const REPORT_ROWS_MAX = 50_000;
const REPORT_BYTES_MAX = 32 * 1_024 * 1_024;
/** Lines that the store's thread writes in one go; records of calls are written in between. */
const PIECE_ROWS = 250;
/** Reports that may be made at a time. */
const REPORTS_MAX = 2;
const REPORT_RETRY_S = 5;

const tag = "Call log";
const workflowParams = z.object({ workflow_id: workflowIdSchema });

export function runOperations(parts: RunParts): readonly Operation[] {
  const { store, records, directory, clock, links, publicBase } = parts;
  let reports = 0;

  function ofWorkflow(workflowId: number): RunCondition {
    if (workflowId !== NO_WORKFLOW && directory.workflow(WorkflowId(workflowId)) === undefined)
      throw new GatewayError("NOT_FOUND", "Workflow not found");
    return { is: "workflow", workflowId };
  }

  async function csv(name: string, conditions: readonly RunCondition[]): Promise<Encoded> {
    if (reports >= REPORTS_MAX) {
      const message = `${REPORTS_MAX} reports are being made already; try again in a few seconds`;
      throw new GatewayError("TOO_MANY", message, { retryAfterS: REPORT_RETRY_S });
    }
    reports++;
    try {
      return new Encoded(CSV_TYPE, await reportOf(conditions), {
        "Content-Disposition": `attachment; filename="${name}.csv"`,
      });
    } finally {
      reports--;
    }
  }

  async function reportOf(conditions: readonly RunCondition[]): Promise<Uint8Array> {
    await records.committed();
    const count = await store.runs.count(conditions);
    if (count > REPORT_ROWS_MAX)
      throw tooLong(`${count} runs match, and a report holds at most ${REPORT_ROWS_MAX}`);
    const nowMs = clock.wallMs();
    const pieces: Uint8Array[] = [Buffer.from(REPORT_HEADER)];
    // What comes in meanwhile is not in it, so there is an end.
    const pieceCount = Math.ceil(count / PIECE_ROWS);
    let place: ReportPlace | undefined;
    let bytes = 0;
    for (let made = 0; made < pieceCount; made++) {
      const limit = Math.min(PIECE_ROWS, count - made * PIECE_ROWS);
      const { lines, next } = await store.runs.reportPiece(conditions, place, limit, nowMs);
      pieces.push(lines);
      bytes += lines.length;
      if (bytes > REPORT_BYTES_MAX)
        throw tooLong(`the report would be longer than ${REPORT_BYTES_MAX / 2 ** 20} MB`);
      if (next === undefined) break;
      place = next;
    }
    return Buffer.concat(pieces);
  }

  return [
    operation({
      method: "GET",
      path: "/api/v1/workflow/{workflow_id}/runs",
      tag,
      summary: "Lists a workflow's runs: the calls it has answered or placed, newest first.",
      params: workflowParams,
      query: workflowRunsQuerySchema,
      answer: runListSchema,
      errors: [403, 404],
      run: async ({ params, query }) => {
        const { conditions, applied } = readWorkflowFilters(query.filters);
        const wanted = queryOf(query, [ofWorkflow(params.workflow_id), ...conditions]);
        await records.committed();
        return new Encoded(
          JSON_TYPE,
          await store.runs.workflowPage(wanted, applied, clock.wallMs(), publicBase()),
        );
      },
    }),
    operation({
      method: "GET",
      path: "/api/v1/workflow/{workflow_id}/runs/{run_id}",
      tag,
      summary: "Gets one run with its timeline, while its call goes on and after.",
      params: runParamsSchema,
      answer: runDetailSchema,
      errors: [404],
      run: async ({ params }) => {
        ofWorkflow(params.workflow_id);
        const run = RunId(params.run_id);
        const record = records.get(run) ?? (await store.records.get(run));
        if (record === undefined || (record.workflowId ?? NO_WORKFLOW) !== params.workflow_id)
          throw new GatewayError("NOT_FOUND", "Workflow run not found");
        const nowMs = clock.wallMs();
        return runDetail(record, nowMs, linksOf(record, links, publicBase(), nowMs));
      },
    }),
    operation({
      method: "GET",
      path: "/api/v1/workflow/{workflow_id}/report",
      tag,
      summary: `Gives a workflow's runs that are over as CSV, oldest first, at most ${REPORT_ROWS_MAX}.`,
      params: workflowParams,
      query: workflowReportQuerySchema,
      answer: CSV_TYPE,
      errors: [400, 404, 429],
      run: ({ params, query }) => {
        const ofThis = ofWorkflow(params.workflow_id);
        return csv(`workflow-${params.workflow_id}-runs`, [
          ofThis,
          { is: "over", over: true },
          ...between(query),
        ]);
      },
    }),
    operation({
      method: "GET",
      path: "/api/v1/organizations/usage/runs",
      tag,
      summary: "Lists the runs of all workflows, refused calls too, and how long was talked in all of them.",
      query: usageQuerySchema,
      answer: usageListSchema,
      run: async ({ query }) => {
        const { conditions } = readUsageFilters(query.filters);
        const wanted = queryOf(query, [...between(query), ...conditions]);
        await records.committed();
        return new Encoded(JSON_TYPE, await store.runs.usagePage(wanted, clock.wallMs(), publicBase()));
      },
    }),
    operation({
      method: "GET",
      path: "/api/v1/organizations/usage/runs/report",
      tag,
      summary: `Gives the runs of all workflows as CSV, oldest first, at most ${REPORT_ROWS_MAX}.`,
      query: usageReportQuerySchema,
      answer: CSV_TYPE,
      errors: [400, 429],
      run: async ({ query }) => {
        const { conditions } = readUsageFilters(query.filters);
        return csv("runs", [...between(query), ...conditions]);
      },
    }),
  ];
}

function tooLong(why: string): GatewayError {
  return new GatewayError("NOT_POSSIBLE", `${why}: narrow it down with start_date and end_date`);
}

type PageWanted = z.output<typeof workflowRunsQuerySchema>;

function queryOf(query: Omit<PageWanted, "filters">, conditions: readonly RunCondition[]): RunQuery {
  const { page, limit, sort_by: sortBy, sort_order: order, up_to_run: run } = query;
  const held = run === undefined ? conditions : [...conditions, { is: "up_to_run" as const, run }];
  return { conditions: held, sortBy, order, page, limit };
}

function between({
  start_date: fromMs,
  end_date: toMs,
}: z.output<typeof workflowReportQuerySchema>): readonly RunCondition[] {
  const condition = received(fromMs, toMs);
  return condition === undefined ? [] : [condition];
}
