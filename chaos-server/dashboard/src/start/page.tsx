// The form that starts an incident. What can't be is not offered; what is wrong is said beside its field.

import { useEffect, useRef, useState } from 'preact/hooks'
import { ApiError, get, post } from '../api/client'
import type { Scenario, Target } from '../api/types'
import { count, words } from '../format'
import { go, href } from '../route'
import { may, useSession } from '../session'
import { Icon } from '../ui/icons'
import { Loading, Notice } from '../ui/parts'
import { Choice, Field } from './parts'

interface World {
  targets: Target[]
  scenarios: Scenario[]
}

const ADHOC = '\u0000'

export function StartPage() {
  const { me } = useSession()
  const [world, setWorld] = useState<World | null>(null)
  const [error, setError] = useState<string | null>(null)
  const load = () => {
    setError(null)
    Promise.all([get<{ targets: Target[] }>('/targets'), get<{ scenarios: Scenario[] }>('/scenarios')])
      .then(([t, s]) => setWorld({ targets: t.targets, scenarios: s.scenarios }))
      .catch((e: Error) => setError(e.message))
  }
  useEffect(load, [])
  return (
    <div class="mx-auto max-w-3xl space-y-3 p-3 sm:p-4">
      <h1 class="text-lg font-semibold">Start an incident</h1>
      {!may(me, 'run') && <Notice tone="warn">Your role is {me.role}. To start an incident you need the role run.</Notice>}
      {error ? (
        <Notice
          tone="bad"
          title="Targets and scenarios could not be loaded"
          action={
            <button type="button" class="btn" onClick={load}>
              Try again
            </button>
          }
        >
          {error}
        </Notice>
      ) : world ? (
        <Form world={world} />
      ) : (
        <div class="panel">
          <Loading what="targets and scenarios" />
        </div>
      )}
    </div>
  )
}

function Form({ world }: { world: World }) {
  const { me } = useSession()
  const [targetName, setTarget] = useState(
    world.targets.find((t) => !t.busy_with)?.name ?? world.targets[0]?.name ?? (me.allow_adhoc ? ADHOC : ''),
  )
  const [scenarioName, setScenario] = useState('')
  const [args, setArgs] = useState<Record<string, string>>({})
  const [times, setTimes] = useState<Record<string, string>>({})
  const [vm, setVm] = useState<Record<string, string>>({ port: '22' })
  const [logs, setLogs] = useState('')
  const [metrics, setMetrics] = useState('')
  const [rehearse, setRehearse] = useState(true)
  const [agreed, setAgreed] = useState(false)
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<string | null>(null)
  const alert = useRef<HTMLDivElement>(null)

  const adhoc = targetName === ADHOC
  const target = world.targets.find((t) => t.name === targetName)
  const chaosAllowed = adhoc || (target?.allow_chaos ?? false)
  const scenario = chaosAllowed ? world.scenarios.find((s) => s.name === scenarioName) : undefined
  const recorded = target?.kind === 'replay' || target?.kind === 'files'
  const shown = adhoc ? `${vm.user || 'user'}@${vm.host || 'host'}` : targetName

  const submit = async (e: Event) => {
    e.preventDefault()
    const options: Record<string, unknown> = {}
    if (!recorded) {
      for (const key of ['baseline', 'observe', ...(scenario ? ['duration', 'max_runtime'] : [])]) {
        const text = (times[key] ?? '').trim()
        if (text) options[key] = Number(text)
      }
      const files = logs
        .split('\n')
        .map((l) => l.trim())
        .filter(Boolean)
      if (files.length) options.log_files = files
      if (metrics.trim()) options.metrics = metrics.trim()
      if (!rehearse) options.rehearse = false
    }
    if (scenario) {
      const given = Object.fromEntries(
        scenario.args.map((a) => [a.name, args[`${scenario.name} ${a.name}`] ?? '']).filter(([, v]) => v !== ''),
      )
      if (Object.keys(given).length) options.args = given
    }
    const body = {
      ...(scenario ? { scenario: scenario.name } : {}),
      ...(adhoc
        ? {
            target_vm: {
              host: vm.host?.trim(),
              port: Number(vm.port),
              user: vm.user?.trim(),
              key_path: vm.key_path?.trim(),
              ...(vm.host_key?.trim() ? { host_key: vm.host_key.trim() } : {}),
            },
          }
        : { target: targetName }),
      options,
    }
    setBusy(true)
    setError(null)
    try {
      const started = await post<{ incident_id: string }>('/start_incident', body)
      go(href(['incidents', started.incident_id]))
    } catch (e) {
      setBusy(false)
      const wait = e instanceof ApiError && e.retryAfter ? ` Try again in ${e.retryAfter} s.` : ''
      setError((e instanceof Error ? e.message : String(e)) + wait)
      requestAnimationFrame(() => alert.current?.focus())
    }
  }

  const seconds = (key: string, label: string, hint: string, min = 0) => (
    <Field label={label} hint={hint}>
      {(id) => (
        <input
          class="field"
          type="number"
          inputMode="numeric"
          min={min}
          max={86400}
          step={1}
          aria-describedby={id}
          value={times[key] ?? ''}
          onInput={(e) => setTimes({ ...times, [key]: e.currentTarget.value })}
        />
      )}
    </Field>
  )

  return (
    <form class="space-y-3" onSubmit={submit}>
      {error && (
        <div ref={alert} tabIndex={-1}>
          <Notice tone="bad" title="It was not started">
            {error}
          </Notice>
        </div>
      )}
      <fieldset class="panel p-3">
        <legend class="sr-only">Target</legend>
        <h2 class="h2 mb-2" aria-hidden="true">
          Target
        </h2>
        {world.targets.length === 0 && !me.allow_adhoc && (
          <Notice tone="warn">The configuration names no target. Add one under [targets] in chaos-handler.toml.</Notice>
        )}
        <div class="grid gap-1 sm:grid-cols-2">
          {world.targets.map((t) => (
            <Choice
              key={t.name}
              group="target"
              checked={t.name === targetName}
              disabled={t.busy_with !== null}
              onChoose={() => setTarget(t.name)}
              name={t.name}
              about={`${t.kind === 'replay' ? 'a recorded incident' : t.kind}${t.about && t.about !== t.name && t.about !== t.kind ? `, ${t.about}` : ''}`}
            >
              {t.busy_with && (
                <>
                  has{' '}
                  <a class="link relative" href={href(['incidents', t.busy_with])}>
                    {t.busy_with}
                  </a>
                </>
              )}
            </Choice>
          ))}
          {me.allow_adhoc && (
            <Choice
              group="target"
              checked={adhoc}
              onChoose={() => setTarget(ADHOC)}
              name="Another machine"
              about="over SSH, by a key on the server"
            />
          )}
        </div>
        {adhoc && (
          <div class="mt-3 grid gap-3 sm:grid-cols-2">
            {(
              [
                ['host', 'Host', 'a name or an address', true],
                ['port', 'Port', '22 unless it is told', true],
                ['user', 'User', '', true],
                ['key_path', 'Private key', 'a path on the server, in one of its key directories', true],
                ['host_key', 'Host key', 'the fingerprint that it must have, SHA256:…', false],
              ] as const
            ).map(([key, label, hint, required]) => (
              <Field key={key} label={label} hint={hint}>
                {(id) => (
                  <input
                    class="field mono"
                    required={required}
                    autocomplete="off"
                    spellcheck={false}
                    type="text"
                    inputMode={key === 'port' ? 'numeric' : undefined}
                    aria-describedby={id}
                    value={vm[key] ?? ''}
                    onInput={(e) => setVm({ ...vm, [key]: e.currentTarget.value })}
                  />
                )}
              </Field>
            ))}
          </div>
        )}
      </fieldset>

      <fieldset class="panel p-3">
        <legend class="sr-only">What to do</legend>
        <h2 class="h2 mb-2" aria-hidden="true">
          What to do
        </h2>
        <div class="grid gap-1 sm:grid-cols-2">
          <Choice
            group="scenario"
            checked={!scenario}
            onChoose={() => setScenario('')}
            name="Just look"
            about="find out what is wrong; reads only"
          />
          {world.scenarios.map((s) => (
            <Choice
              key={s.name}
              group="scenario"
              checked={scenario?.name === s.name}
              disabled={!chaosAllowed}
              onChoose={() => {
                setScenario(s.name)
                setAgreed(false)
              }}
              name={s.name}
              about={s.summary}
            />
          ))}
        </div>
        {!chaosAllowed && (
          <p class="mt-2 text-muted">
            {recorded
              ? 'No fault can be injected into something recorded.'
              : `${targetName || 'This target'} is not marked as fair game (allow_chaos), so no fault can be injected.`}
          </p>
        )}
        {scenario && scenario.args.length > 0 && (
          <div class="mt-3 grid gap-3 sm:grid-cols-2">
            {scenario.args.map((a) => {
              const key = `${scenario.name} ${a.name}`
              return (
                <Field
                  key={key}
                  label={`${words(a.name)}${a.required ? ' (required)' : ''}`}
                  hint={`${a.help.replace(/\.$/, '')}${a.help && a.wants ? ': ' : ''}${a.wants}`}
                >
                  {(id) => (
                    <input
                      class="field mono"
                      type={(a.secret ? 'password' : 'text') as 'text'}
                      autocomplete="off"
                      spellcheck={false}
                      required={a.required}
                      placeholder={a.default ?? ''}
                      aria-describedby={id}
                      value={args[key] ?? ''}
                      onInput={(e) => setArgs({ ...args, [key]: e.currentTarget.value })}
                    />
                  )}
                </Field>
              )
            })}
          </div>
        )}
      </fieldset>

      {recorded ? (
        <p class="text-muted">What was recorded is thought over again; there is nothing to set.</p>
      ) : (
        <fieldset class="panel p-3">
          <legend class="sr-only">How long, and what to look at</legend>
          <h2 class="h2 mb-2" aria-hidden="true">
            How long, in seconds
          </h2>
          <div class="grid grid-cols-2 gap-3 sm:grid-cols-4">
            {seconds('baseline', 'Baseline', 'watched as it usually is')}
            {seconds('observe', 'Observation', 'watched for the fault', 1)}
            {scenario && seconds('duration', 'Fault', 'how long it lasts', 1)}
            {scenario && seconds('max_runtime', 'Latest end', `it reverts by itself; at most ${scenario.max_runtime_s}`, 1)}
          </div>
          <details class="mt-3">
            <summary class="text-muted">More</summary>
            <div class="mt-2 grid gap-3 sm:grid-cols-2">
              <Field label="Log files" hint="one path a line, beside those that are found">
                {(id) => (
                  <textarea
                    class="field mono"
                    rows={3}
                    spellcheck={false}
                    aria-describedby={id}
                    value={logs}
                    onInput={(e) => setLogs(e.currentTarget.value)}
                  />
                )}
              </Field>
              <Field label="Metrics endpoint" hint="port and path on the target: 9100/metrics">
                {(id) => (
                  <input
                    class="field mono"
                    spellcheck={false}
                    aria-describedby={id}
                    value={metrics}
                    onInput={(e) => setMetrics(e.currentTarget.value)}
                  />
                )}
              </Field>
              <label class="flex items-start gap-2 sm:col-span-2">
                <input class="mt-1" type="checkbox" checked={rehearse} onChange={(e) => setRehearse(e.currentTarget.checked)} />
                <span>
                  Rehearse the fix in a sandbox on the target
                  <span class="block text-xs text-muted">Nothing is changed; what the fix would change is shown.</span>
                </span>
              </label>
            </div>
          </details>
        </fieldset>
      )}

      {scenario && (
        <div class="panel border-warn p-3">
          <label class="flex items-start gap-2">
            <input class="mt-1" type="checkbox" required checked={agreed} onChange={(e) => setAgreed(e.currentTarget.checked)} />
            <span>
              <strong class="text-warn">
                <Icon name="warn" class="mr-1 align-[-3px]" />
                This breaks {shown} on purpose.
              </strong>{' '}
              It is no production system, and its data can be lost.
              {scenario.needs_root && ' The scenario needs root there.'}
            </span>
          </label>
        </div>
      )}
      <div class="flex flex-wrap items-center gap-3">
        <button
          class="btn btn-primary"
          disabled={busy || !may(me, 'run') || (!adhoc && (!target || target.busy_with !== null)) || (scenario !== undefined && !agreed)}
        >
          {busy ? 'Starting' : scenario ? `Inject ${scenario.name} into ${shown}` : `Look at ${shown || 'the target'}`}
        </button>
        <span class="text-muted">
          {count(world.targets.length, 'target')}, {count(world.scenarios.length, 'scenario')}
        </span>
      </div>
    </form>
  )
}
