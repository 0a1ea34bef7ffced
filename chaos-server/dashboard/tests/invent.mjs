// Stored incidents that no short run gives: very long, hostile, with a rehearsed plan. Made from a recorded one, and
// read by the real server as any other.

import { createHash } from 'node:crypto'
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { incidents } from './harness.mjs'

function copy(root, id, from, change) {
  const dir = join(root, id)
  cpSync(join(incidents, from), dir, { recursive: true })
  rmSync(join(dir, 'recording'), { recursive: true })
  rmSync(join(dir, 'label.toml'))
  const incident = JSON.parse(readFileSync(join(dir, 'incident.json'), 'utf8'))
  const trace = JSON.parse(readFileSync(join(dir, 'trace.json'), 'utf8'))
  incident.id = id
  change(incident, trace)
  trace.forEach((e, i) => (e.seq = i))
  writeFileSync(join(dir, 'incident.json'), JSON.stringify(incident))
  writeFileSync(join(dir, 'trace.json'), `[\n${trace.map((e) => JSON.stringify(e)).join(',\n')}\n]\n`)
  return dir
}

/** `events` events and some `megabytes` of log lines. */
export function long(root, id, events, megabytes) {
  copy(root, id, 'db_conn_exhaust', (incident, trace) => {
    const at = trace.findIndex((e) => e.phase === 'observe')
    const first = trace[at]
    const more = Array.from({ length: events - trace.length }, (_, i) => ({
      ...first,
      agent: ['LogAgent', 'MetricsAgent', 'Investigator'][i % 3],
      type: ['note', 'evidence'][i % 2],
      content: `event number ${i}${i % 7 === 0 ? ', which has rather more to say than the others so that it needs more than one line of the timeline, whatever its width is' : ''}`,
    }))
    trace.splice(at + 1, 0, ...more)
    const logs = incident.observation.evidence[0].body
    const text = (i) => `request ${i} from 192.0.2.${i % 250} took ${i % 997} ms, upstream answered ${200 + (i % 4) * 100}`
    for (let i = 0, bytes = 0; bytes < megabytes * 1e6; i++) {
      const line = { at: incident.observation.observed.end, level: 'info', unit: 'app.service', text: text(i), pattern: 0 }
      bytes += line.text.length
      logs.lines.push(line)
    }
    logs.total_lines = logs.lines.length
    logs.total_bytes = megabytes * 1e6
  })
}

export const HOSTILE = `<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>\u202Eevil\u0007 &lt;b&gt; javascript:alert(1) {{7*7}} ${'A'.repeat(300)}`

/** Everything that comes from a target is HTML and worse. */
export function hostile(root, id) {
  const dir = copy(root, id, 'db_conn_exhaust', (incident, trace) => {
    for (const e of trace) if (e.type !== 'phase') e.content = `${HOSTILE} ${e.content}`
    for (const f of incident.findings) f.summary = HOSTILE + f.summary
    for (const e of incident.observation.evidence) {
      if (e.body.kind === 'logs') {
        for (const l of e.body.lines) l.text = HOSTILE + l.text
        for (const p of e.body.patterns) p.template = HOSTILE + p.template
      } else e.body.attributes = { ...e.body.attributes, x: HOSTILE }
    }
    incident.diagnosis.culprit.summary = HOSTILE
    for (const a of incident.answers) a.stdout = HOSTILE
    for (const p of incident.plans) for (const a of p.actions) Object.assign(a, { title: HOSTILE, rationale: HOSTILE, target: HOSTILE })
    for (const r of incident.risks) r.blast_radius = [HOSTILE]
  })
  const report = join(dir, 'report.md')
  writeFileSync(
    report,
    `${readFileSync(report, 'utf8')}\n\n${HOSTILE}\n\n[x](javascript:window.hacked=1) ![x](https://example.org/x.png) <b onmouseover=alert(1)>x</b>\n`,
  )
}

/** An incident of this machine, with a plan that can be applied here: it makes the file `made`. */
export function appliable(root, id, made) {
  const dir = copy(root, id, 'disk_fill', (incident) => {
    incident.options.observe_s = 3
    const [plan] = incident.plans
    const check = { expect: 'success', within_s: 0 }
    const action = {
      ...plan.actions[0],
      title: 'Make a file',
      argv: ['touch', made],
      preconditions: [{ title: 'its folder is there', argv: ['test', '-d', join(made, '..')], ...check }],
      verify: [{ title: 'it is there', argv: ['test', '-e', made], ...check }],
    }
    plan.actions = [action]
    plan.plan_sha256 = createHash('sha256').update(JSON.stringify(plan.actions)).digest('hex')
    incident.plans = [plan]
    incident.risks = [{ ...incident.risks[0], plan_sha256: plan.plan_sha256, verdict: 'needs_approval' }]
  })
  writeFileSync(join(dir, '.request.json'), JSON.stringify({ target: 'here', kind: 'local', scenario: null, caller: 'local' }))
}

/** A plan that was rehearsed, with the change of a file. */
export function rehearsed(root, id, { target = null, verdict = null } = {}) {
  copy(root, id, 'service_kill', (incident) => {
    if (target) incident.target = target
    const risk = incident.risks[0]
    if (verdict) Object.assign(risk, { verdict, level: 'high' })
    risk.rehearsed = {
      steps: [
        { action: incident.plans[0].actions[0].id, argv: ['systemctl', 'restart', 'nginx.service'], passed: true, ended: 'exit code 0' },
      ],
      changes: [
        {
          kind: 'modified',
          path: '/etc/nginx/nginx.conf',
          detail: '1480 to 1466 bytes',
          diff: '@@ -3,5 +3,4 @@\n events { worker_connections 768; }\n http {\n-  keepalive_timeot 65;\n+  keepalive_timeout 65;\n   include /etc/nginx/sites-enabled/*;\n',
        },
        { kind: 'deleted', path: '/run/nginx.pid', detail: '5 bytes' },
      ],
      changes_beyond: 0,
      would_run: [['systemctl', 'restart', 'nginx.service']],
      limits: ['what a service does after it is started is not known'],
    }
  })
}
