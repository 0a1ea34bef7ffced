// The shapes of the API (chaos-server/API.md) and of incident.json, as far as the dashboard reads them.
// Everything that comes from a target is text, and is shown as text.

export type Role = 'read' | 'run' | 'approve'
export type Status = 'queued' | 'running' | 'completed' | 'failed' | 'stopped' | 'interrupted' | 'applying'
export const STATUSES: Status[] = ['queued', 'running', 'completed', 'applying', 'failed', 'stopped', 'interrupted']

export interface Me {
  name: string | null
  role: Role | null
  auth_required: boolean
  allow_apply: boolean
  allow_adhoc: boolean
  pdf: boolean
  version: string
}

export interface TargetInfo {
  name: string
  kind: string
}

export interface Target extends TargetInfo {
  about: string
  allow_chaos: boolean
  busy_with: string | null
}

export interface ScenarioArg {
  name: string
  wants: string
  help: string
  default: string | null
  required: boolean
  secret: boolean
}

export interface Scenario {
  name: string
  summary: string
  causes: string
  needs_root: boolean
  max_runtime_s: number
  args: ScenarioArg[]
}

export interface Plugin {
  name: string
  version: string
  roles: string[]
  description: string
  sha256: string
  asks: string[]
  granted: {
    commands: string[]
    limits: { memory_mb: number; time_ms: number; output_kb: number; log_lines: number; commands: number }
  }
}

export interface PluginList {
  plugins: Plugin[]
  refused: { file: string; why: string }[]
}

export interface IncidentRow {
  incident_id: string
  status: Status
  phase: string
  target: TargetInfo
  scenario: string | null
  began: string
  ended: string | null
  cause: string | null
  fault: string | null
  confidence: number | null
  confirmed: string | null
}

export interface IncidentList {
  incidents: IncidentRow[]
  next: string | null
  total: number
  running: number
  queued: number
}

export interface TraceEvent {
  seq: number
  timestamp: string
  phase: string
  agent: string
  type: string
  content: string
  data?: Record<string, unknown> | null
}

export interface AgentState {
  name: string
  status: 'waiting' | 'working' | 'done' | 'failed' | 'skipped'
  events: number
  last: string | null
  last_at: string | null
}

export interface StatusView {
  incident_id: string
  status: Status
  phase: string
  target: TargetInfo
  scenario: string | null
  began: string
  ended: string | null
  reason: string | null
  queue_position: number | null
  last_seq: number
  agents: AgentState[]
  trace: TraceEvent[]
}

export interface FileInfo {
  name: string
  bytes: number
  type: string
}

export type Level = 'none' | 'low' | 'medium' | 'high'
export type Verdict = 'safe' | 'needs_approval' | 'dangerous'

export interface FileChange {
  kind: string
  path: string
  detail: string
  diff?: string | null
}

export interface Rehearsed {
  unable?: string | null
  steps: { action: string; command?: string; argv?: string[]; passed: boolean; ended: string; output?: string }[]
  changes: FileChange[]
  changes_beyond?: number
  would_run: (string | string[])[]
  limits: string[]
}

export interface ActionRisk {
  action: string
  level: Level
  verdict: Verdict
  categories: string[]
  rules: { rule: string; why: string; words?: string[] }[]
  unresolved?: string[]
  simulated?: (string | { argv: string[]; passed: boolean; shows: string; answer?: number })[]
  not_simulated?: string[]
}

export interface Risk {
  plan_sha256?: string
  level: Level
  verdict: Verdict
  categories: string[]
  blast_radius: string[]
  actions: ActionRisk[]
  rehearsed?: Rehearsed | null
}

export interface PlanAction {
  id: string
  title: string
  target: string
  command: string
  rationale: string
  confidence: number
  reversibility: string
  downtime: string
  rollback: string[]
  verify: string[]
}

export interface Plan {
  plan_sha256: string
  summary: string
  actions: PlanAction[]
  alternatives: string[]
  next_questions: string[]
  risk: Risk | null
}

export interface Approval {
  plan_sha256: string
  approver: string
  reason: string
  at: string
  expires_at: string
  dangerous: boolean
}

export interface Applied {
  ending: string
  why: string
  began: string
  ended: string
  steps: { action: string; kind: string; command: string; passed: boolean; ended: string }[]
  by_hand: string[]
  compared: { what: string; back: boolean }[]
}

export interface Injection {
  scenario: string
  args: string
  causes: string
  started: string | null
  fires_at: string | null
  reverted: string | null
  recovery: { state: string; why?: string }
}

export interface Detail {
  incident_id: string
  status: Status
  phase: string
  reason: string | null
  target: TargetInfo
  scenario: string | null
  began: string
  ended: string | null
  diagnosis: { fault: string; title: string; confidence: number; culprit: string | null } | null
  hypotheses: { fault: string; title: string; posterior: number }[]
  findings: { agent: string; summary: string; score: number; onset: string | null }[]
  plans: Plan[]
  approval: Approval | null
  applied: Applied | null
  injection: Injection | null
  confirmed: string | null
  errors: string[]
  files: FileInfo[]
}

export interface ResetResult {
  incident_id: string
  target: string
  proven: boolean
  scenarios: { scenario: string; state: string; why: string | null }[]
}

// ---- incident.json ----

export interface Rows {
  start: number
  end: number
}

export interface Cite {
  evidence: number
  rows: Rows
}

export interface LogLine {
  at: string
  level?: string
  unit?: string
  pid?: number
  text: string
  pattern: number
}

export interface LogPattern {
  id: string
  template: string
  level?: string
  count: number
  first: string
  last: string
  histogram: { start: string; width_ms: number; counts: number[] }
  rows: number[]
}

export interface LogsBody {
  kind: 'logs'
  lines: LogLine[]
  patterns: LogPattern[]
  total_lines: number
  total_bytes: number
}

export interface Series {
  name: string
  unit: string
  attributes?: Record<string, string>
  at: number[]
  values: (number | null)[]
}

export interface Evidence {
  source: string
  body: LogsBody | ({ kind: 'metric' } & Series)
  gaps?: { span: { start: string; end: string }; why: { message?: string } | string }[]
}

export interface Span {
  start: string
  end: string
}

export interface Finding {
  agent: string
  signal: { kind: string; change?: string; name?: string; pattern?: string }
  entity: { kind: string; name: string }
  summary: string
  score: number
  onset?: string
  cites: Cite[]
}

export interface Basis {
  finding?: number
  answer?: number
}

export interface Hypothesis {
  verdict: string
  fault?: string
  title: string
  posterior: number
  basis: Basis[]
  against?: string[]
}

export interface Answer {
  agent: string
  ask: { run?: { argv: string[] }; http_get?: { port: number; path: string } }
  at: string
  end: unknown
  stdout?: string
  stderr?: string
}

export interface Step {
  what: string
  note: string
  posterior: [string, number][]
}

export interface Diagnosis {
  verdict: string
  fault?: string
  title: string
  confidence: number
  culprit: { summary: string; basis: Basis[]; entity: { kind: string; name: string } } | null
  hypotheses: Hypothesis[]
  steps: Step[]
  changes?: { at: string; kind: string; what: string; about_culprit: boolean; basis: number }[]
  history?: unknown
  limits?: string[]
}

export interface RawAction {
  id: string
  title: string
  argv: string[]
  shell?: string
  cites: number[]
  preconditions: { title: string; argv: string[] }[]
  backup?: string[][]
  verify: { title: string; argv: string[]; within_s?: number }[]
  timeout_s: number
  on_failure: string
}

export interface IncidentJson {
  id: string
  status: Status
  observation?: { facts: Record<string, unknown>; baseline: Span | null; observed: Span; evidence: Evidence[] } | null
  findings: Finding[]
  answers?: Answer[]
  diagnosis?: Diagnosis | null
  plans?: { plan_sha256: string; actions: RawAction[] }[]
  risks?: Risk[]
  injection?: Injection | null
}

export interface MetricsJson {
  window: { baseline: Span | null; observed: Span }
  series: Series[]
}
