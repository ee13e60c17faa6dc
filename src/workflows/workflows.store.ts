// Workflows and their versions in the database. A version is never changed: an update adds the next one, with secrets
// of its own, which are sealed. What leaves this file has them open, apart from the definition.
import type { DefinitionId, WorkflowId } from "../domain/ids.ts";
import type { Db } from "../store/open.ts";
import type { SealedColumns, Vault } from "../store/vault.ts";
import type { AgentSecrets } from "./agentSecrets.ts";
import type { Workflow } from "./workflow.ts";

export interface StoredWorkflow extends Workflow {
  readonly workflowConfigurations: Readonly<Record<string, unknown>> | undefined;
  readonly createdAtMs: number;
  readonly totalRuns: number;
}

/** One of many: without its definition, which may be long. */
export type ListedWorkflow = Pick<
  StoredWorkflow,
  "id" | "uuid" | "name" | "status" | "createdAtMs" | "totalRuns"
>;

/** What a new version holds. */
export interface NewVersion {
  readonly definition: unknown;
  /** Of this definition; none when there are none here. */
  readonly secrets?: AgentSecrets | undefined;
  readonly templateContextVariables?: Readonly<Record<string, unknown>> | undefined;
  readonly workflowConfigurations?: Readonly<Record<string, unknown>> | undefined;
}

/** What an update changes; the rest is carried over from the version before. */
export interface WorkflowChanges extends Partial<NewVersion> {
  readonly name?: string | undefined;
}

export interface WorkflowCounts {
  readonly active: number;
  readonly archived: number;
}

interface ListedRow {
  readonly id: number;
  readonly uuid: string;
  readonly name: string;
  readonly status: "active" | "archived";
  readonly created_at_ms: number;
  readonly total_runs: number;
}

interface Row extends ListedRow {
  readonly version: number;
  readonly definition_id: number;
  readonly definition: string;
  readonly secrets: Uint8Array | null;
  readonly template_context_variables: string | null;
  readonly workflow_configurations: string | null;
}

/** For whoever seals them anew. */
export const SEALED: SealedColumns<"secrets"> = {
  table: "definitions",
  columns: ["secrets"],
  placeOf: (id, column) => `definitions/${id}/${column}`,
};

const LISTED = `w.id, w.uuid, w.name, w.status, w.created_at_ms,
  (SELECT count(*) FROM runs r WHERE r.workflow_id = w.id) AS total_runs`;
const VERSIONS = `
SELECT ${LISTED}, d.version, d.id AS definition_id, d.definition, d.secrets,
  d.template_context_variables, d.workflow_configurations
FROM workflows w JOIN definitions d ON d.workflow_id = w.id`;
const SELECT = `${VERSIONS}
WHERE d.version = (SELECT max(version) FROM definitions WHERE workflow_id = w.id)`;

export function workflowStore(db: Db, vault: Vault) {
  const insert = db.prepare("INSERT INTO workflows (uuid, name, created_at_ms) VALUES (?, ?, ?)");
  const insertVersion = db.prepare(
    `INSERT INTO definitions
       (workflow_id, version, definition, template_context_variables, workflow_configurations, created_at_ms)
     VALUES (?, coalesce((SELECT max(version) FROM definitions WHERE workflow_id = ?), 0) + 1, ?, ?, ?, ?)`,
  );
  // Their place has the version's id in it, which is known once that is there.
  const setSecrets = db.prepare("UPDATE definitions SET secrets = ? WHERE id = ?");
  const rename = db.prepare("UPDATE workflows SET name = ? WHERE id = ?");
  const setStatus = db.prepare("UPDATE workflows SET status = ? WHERE id = ?");
  const all = db.prepare<[], Row>(`${SELECT} ORDER BY w.id`);
  const listed = db.prepare<[], ListedRow>(`SELECT ${LISTED} FROM workflows w ORDER BY w.id`);
  const one = db.prepare<[number], Row>(`${SELECT} AND w.id = ?`);
  const version = db.prepare<[number], Row>(`${VERSIONS} WHERE d.id = ?`);
  const counts = db.prepare<[], WorkflowCounts>(
    `SELECT count(*) FILTER (WHERE status = 'active') AS active,
       count(*) FILTER (WHERE status = 'archived') AS archived FROM workflows`,
  );

  const get = (id: number): StoredWorkflow | undefined => {
    const row = one.get(id);
    return row && workflowOf(row, vault);
  };
  const addVersion = (id: number, version: NewVersion, atMs: number) => {
    const { definition, secrets = {}, templateContextVariables, workflowConfigurations } = version;
    const texts = [definition, templateContextVariables ?? null, workflowConfigurations ?? null];
    const { lastInsertRowid } = insertVersion.run(
      ...[id, id],
      ...texts.map((part) => (part === null ? null : JSON.stringify(part))),
      atMs,
    );
    if (Object.keys(secrets).length === 0) return;
    const definitionId = Number(lastInsertRowid);
    const place = SEALED.placeOf(definitionId, "secrets");
    setSecrets.run(vault.seal(JSON.stringify(secrets), place), definitionId);
  };

  return {
    all(): StoredWorkflow[] {
      return all.all().map((row) => workflowOf(row, vault));
    },
    /** All of them, oldest first. */
    listed(): ListedWorkflow[] {
      return listed.all().map(listedOf);
    },
    get,
    /** A workflow as it was in one of its versions; its name and status are today's. */
    version(id: DefinitionId): StoredWorkflow | undefined {
      const row = version.get(id);
      return row && workflowOf(row, vault);
    },
    counts(): WorkflowCounts {
      return counts.get()!;
    },
    create: db.transaction((uuid: string, name: string, version: NewVersion, atMs: number) => {
      const id = Number(insert.run(uuid, name, atMs).lastInsertRowid);
      addVersion(id, version, atMs);
      return get(id)!;
    }) as (uuid: string, name: string, version: NewVersion, atMs: number) => StoredWorkflow,
    /**
     * Adds a version; undefined when there is no such workflow. What changes is merged in here, where nothing comes
     * between reading and writing, so that of two updates at a time neither undoes the other.
     */
    update: db.transaction((id: WorkflowId, changes: WorkflowChanges, atMs: number) => {
      const known = get(id);
      if (known === undefined) return undefined;
      rename.run(changes.name ?? known.name, id);
      const { templateContextVariables, workflowConfigurations } = changes;
      // Secrets belong to their definition: of one that is new only its own are kept.
      const { definition, secrets } = changes.definition === undefined ? known : changes;
      const version: NewVersion = {
        ...{ definition, secrets },
        templateContextVariables: templateContextVariables ?? known.templateContextVariables,
        workflowConfigurations: workflowConfigurations ?? known.workflowConfigurations,
      };
      addVersion(id, version, atMs);
      return get(id);
    }) as (id: WorkflowId, changes: WorkflowChanges, atMs: number) => StoredWorkflow | undefined,
    setStatus(id: WorkflowId, status: Workflow["status"]): StoredWorkflow | undefined {
      setStatus.run(status, id);
      return get(id);
    },
  };
}

function listedOf(row: ListedRow): ListedWorkflow {
  return {
    id: row.id as WorkflowId,
    uuid: row.uuid,
    name: row.name,
    status: row.status,
    createdAtMs: row.created_at_ms,
    totalRuns: row.total_runs,
  };
}

function workflowOf(row: Row, vault: Vault): StoredWorkflow {
  return {
    ...listedOf(row),
    version: row.version,
    definitionId: row.definition_id as DefinitionId,
    definition: JSON.parse(row.definition),
    secrets: secretsIn(row, vault),
    templateContextVariables: parsed(row.template_context_variables),
    workflowConfigurations: parsed(row.workflow_configurations),
  };
}

function secretsIn({ definition_id: id, secrets }: Row, vault: Vault): AgentSecrets {
  return secrets === null ? {} : JSON.parse(vault.open(secrets, SEALED.placeOf(id, "secrets")));
}

function parsed(text: string | null): Readonly<Record<string, unknown>> | undefined {
  return text === null ? undefined : JSON.parse(text);
}
