// The dashboards, each by the name of its file.
import { mediaEngine } from "./mediaEngine.ts";
import { overview } from "./overview.ts";
import { telephony } from "./telephony.ts";

export interface DashboardFile {
  readonly name: string;
  readonly json: string;
}

export function dashboards(): readonly DashboardFile[] {
  return [
    { name: "overview", json: overview() },
    { name: "media-engine", json: mediaEngine() },
    { name: "telephony-and-agents", json: telephony() },
  ];
}
