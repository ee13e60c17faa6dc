// The database's tables, as numbered migrations: each is run once, in order, and never changed after a release.
// What the columns mean to a feature is said in its `*.store.ts`.

/** The first tables. Times are milliseconds since the epoch; secrets are sealed (vault.ts). */
const FIRST = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

CREATE TABLE api_keys (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  key_prefix TEXT NOT NULL,
  key_hash BLOB NOT NULL UNIQUE,
  created_at_ms INTEGER NOT NULL,
  last_used_at_ms INTEGER,
  archived_at_ms INTEGER
) STRICT;

CREATE TABLE preferences (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  test_phone_number TEXT,
  timezone TEXT
) STRICT;

CREATE TABLE workflows (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  uuid TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'archived')),
  created_at_ms INTEGER NOT NULL
) STRICT;

-- Only ever added to: a run keeps the version it began with.
CREATE TABLE definitions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  workflow_id INTEGER NOT NULL REFERENCES workflows (id),
  version INTEGER NOT NULL CHECK (version >= 1),
  definition TEXT NOT NULL,
  template_context_variables TEXT,
  workflow_configurations TEXT,
  created_at_ms INTEGER NOT NULL,
  UNIQUE (workflow_id, version)
) STRICT;

CREATE TABLE configurations (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  provider TEXT NOT NULL DEFAULT 'twilio' CHECK (provider = 'twilio'),
  account_sid TEXT NOT NULL,
  auth_token BLOB NOT NULL,
  secondary_auth_token BLOB,
  api_key_sid TEXT,
  api_key_secret BLOB,
  region TEXT,
  edge TEXT,
  amd_enabled INTEGER NOT NULL DEFAULT 0,
  is_default_outbound INTEGER NOT NULL DEFAULT 0,
  is_demo INTEGER NOT NULL DEFAULT 0,
  credentials_state TEXT NOT NULL DEFAULT 'unchecked'
    CHECK (credentials_state IN ('unchecked', 'valid', 'rejected', 'suspended', 'unreachable')),
  credentials_message TEXT,
  credentials_checked_at_ms INTEGER,
  account_type TEXT,
  created_at_ms INTEGER NOT NULL,
  updated_at_ms INTEGER NOT NULL,
  UNIQUE (id, account_sid)
) STRICT;
CREATE UNIQUE INDEX one_default_outbound ON configurations (is_default_outbound) WHERE is_default_outbound = 1;

-- The account is repeated here, and follows its configuration, so that the routing key is one unique constraint.
CREATE TABLE numbers (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  configuration_id INTEGER NOT NULL,
  provider TEXT NOT NULL DEFAULT 'twilio',
  account_sid TEXT NOT NULL,
  address TEXT NOT NULL,
  address_normalized TEXT NOT NULL,
  address_type TEXT NOT NULL CHECK (address_type IN ('pstn', 'sip_uri')),
  country_code TEXT,
  label TEXT,
  warning TEXT,
  inbound_workflow_id INTEGER REFERENCES workflows (id) ON DELETE SET NULL,
  is_active INTEGER NOT NULL DEFAULT 1,
  is_default_caller_id INTEGER NOT NULL DEFAULT 0,
  extra_metadata TEXT NOT NULL DEFAULT '{}',
  sync TEXT NOT NULL DEFAULT '{"state":"none"}',
  created_at_ms INTEGER NOT NULL,
  updated_at_ms INTEGER NOT NULL,
  FOREIGN KEY (configuration_id, account_sid) REFERENCES configurations (id, account_sid)
    ON UPDATE CASCADE ON DELETE CASCADE,
  UNIQUE (provider, account_sid, address_normalized)
) STRICT;
CREATE INDEX numbers_of_configuration ON numbers (configuration_id);
CREATE INDEX numbers_of_workflow ON numbers (inbound_workflow_id);
CREATE UNIQUE INDEX one_default_caller_id ON numbers (configuration_id) WHERE is_default_caller_id = 1;

-- One row per call; numbers, workflows and configurations may be deleted without taking the log along.
CREATE TABLE runs (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  mode TEXT NOT NULL,
  direction TEXT NOT NULL CHECK (direction IN ('inbound', 'outbound')),
  state TEXT NOT NULL,
  outcome TEXT,
  ended_by TEXT,
  call_sid TEXT UNIQUE,
  account_sid TEXT,
  configuration_id INTEGER,
  number_id INTEGER,
  from_address TEXT,
  to_address TEXT,
  workflow_id INTEGER,
  workflow_version INTEGER,
  definition_id INTEGER,
  received_at_ms INTEGER NOT NULL,
  submitted_at_ms INTEGER,
  ringing_at_ms INTEGER,
  answered_at_ms INTEGER,
  started_at_ms INTEGER,
  ended_at_ms INTEGER,
  heard_ms INTEGER NOT NULL DEFAULT 0,
  digits INTEGER NOT NULL DEFAULT 0,
  answered_by TEXT,
  twilio_code INTEGER,
  facts TEXT NOT NULL DEFAULT '{}'
) STRICT;
CREATE INDEX runs_of_workflow ON runs (workflow_id, id);
CREATE INDEX runs_received ON runs (received_at_ms);
CREATE INDEX runs_open ON runs (id) WHERE outcome IS NULL;

CREATE TABLE run_events (
  run_id INTEGER NOT NULL REFERENCES runs (id),
  ordinal INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  kind TEXT NOT NULL,
  detail TEXT,
  sequence INTEGER,
  PRIMARY KEY (run_id, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
  key_id INTEGER NOT NULL,
  idempotency_key TEXT NOT NULL,
  request_hash TEXT NOT NULL,
  run_id INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL,
  PRIMARY KEY (key_id, idempotency_key)
) STRICT, WITHOUT ROWID;
`;

/**
 * What lists of calls are found, counted and summed by, without looking into the rows: each index holds every column
 * that its lists may be narrowed by. Durations are whole seconds, as runs.store.ts computes them.
 */
const CALL_LOG_INDEXES = `
DROP INDEX runs_of_workflow;
DROP INDEX runs_received;
CREATE INDEX runs_in_time ON runs
  (received_at_ms, id, started_at_ms, ended_at_ms, outcome, direction, mode, workflow_id, from_address, to_address);
CREATE INDEX runs_of_workflow_in_time ON runs
  (workflow_id, received_at_ms, id, started_at_ms, ended_at_ms, outcome);
CREATE INDEX runs_by_duration ON runs
  (max(0, ended_at_ms - coalesce(started_at_ms, ended_at_ms) + 500) / 1000);
CREATE INDEX runs_of_workflow_by_duration ON runs
  (workflow_id, max(0, ended_at_ms - coalesce(started_at_ms, ended_at_ms) + 500) / 1000);
`;

/** The secrets of a version's agent, by their settings' names, as one sealed JSON object. */
const DEFINITION_SECRETS = "ALTER TABLE definitions ADD COLUMN secrets BLOB";

/** What a call's media worker told of it: levels, lengths and what was said, as one JSON object. */
const EVENT_FACTS = "ALTER TABLE run_events ADD COLUMN facts TEXT";

/** In order; the database's `user_version` counts how many have been run. */
export const MIGRATIONS: readonly string[] = [FIRST, CALL_LOG_INDEXES, DEFINITION_SECRETS, EVENT_FACTS];
