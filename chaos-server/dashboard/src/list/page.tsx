// All incidents, newest first: filters in the address, renewed every two seconds.

import { useEffect, useRef, useState } from 'preact/hooks'
import { get } from '../api/client'
import { useNow, usePoll } from '../api/poll'
import { STATUSES, type IncidentList, type IncidentRow, type TargetInfo } from '../api/types'
import { ago, between, count, dateTime, percent, words } from '../format'
import { go, href } from '../route'
import { may, useSession } from '../session'
import { Icon } from '../ui/icons'
import { useKeys } from '../ui/keys'
import { Badge, Empty, Loading, Notice, StatusBadge } from '../ui/parts'

const PAGE = 50
const FILTERS = ['q', 'status', 'target', 'fault'] as const
type Filter = (typeof FILTERS)[number]

export function ListPage({ query }: { query: URLSearchParams }) {
  const { me } = useSession()
  const now = useNow(10_000)
  const filters = Object.fromEntries(FILTERS.map((f) => [f, query.get(f) ?? ''])) as Record<Filter, string>
  const subject = FILTERS.map((f) => filters[f]).join('\n')
  const [list, setList] = useState<IncidentList | null>(null)
  const [older, setOlder] = useState<{ rows: IncidentRow[]; next: string | null } | null>(null)
  const [olderError, setOlderError] = useState('')
  const targets = useRef(new Map<string, string>())

  const address = (before?: string) => {
    const params = new URLSearchParams({ limit: String(PAGE) })
    for (const f of FILTERS) if (filters[f]) params.set(f, filters[f])
    if (before) params.set('before', before)
    return `/incidents?${params}`
  }
  useEffect(() => {
    setOlder(null)
    setOlderError('')
  }, [subject])
  useEffect(() => {
    void get<{ targets: TargetInfo[] }>('/targets')
      .then((t) => t.targets.forEach((x) => targets.current.set(x.name, x.kind)))
      .catch(() => {})
  }, [])
  const poll = usePoll(
    subject,
    async (signal) => {
      const answer = await get<IncidentList>(address(), signal)
      for (const i of answer.incidents) targets.current.set(i.target.name, i.target.kind)
      setList(answer)
    },
    () => 2000,
  )
  useKeys({ r: poll.refresh })
  const set = (f: Filter, value: string) => go(href([], { ...filters, [f]: value }), true)
  const more = async (before: string) => {
    try {
      const answer = await get<IncidentList>(address(before))
      setOlder((o) => ({ rows: [...(o?.rows ?? []), ...answer.incidents], next: answer.next }))
      setOlderError('')
    } catch (e) {
      setOlderError(e instanceof Error ? e.message : String(e))
    }
  }

  const rows = list
    ? [...list.incidents, ...(older?.rows ?? []).filter((o) => !list.incidents.some((i) => i.incident_id === o.incident_id))]
    : []
  const next = older ? older.next : (list?.next ?? null)
  const filtered = FILTERS.some((f) => filters[f])

  return (
    <div class="mx-auto max-w-6xl space-y-3 p-3 sm:p-4">
      <div class="flex flex-wrap items-center gap-3">
        <h1 class="text-lg font-semibold">Incidents</h1>
        {list && (
          <p class="text-muted" role="status">
            {count(list.total, 'incident')}, {list.running} running, {list.queued} queued
          </p>
        )}
        <div class="ml-auto flex gap-2">
          <button type="button" class="btn" onClick={poll.refresh}>
            <Icon name="refresh" /> Refresh
          </button>
          <a class={`btn ${may(me, 'run') ? 'btn-primary' : ''}`} href={href(['new'])}>
            <Icon name="plus" /> Start an incident
          </a>
        </div>
      </div>
      <form
        class="grid grid-cols-2 gap-2 sm:grid-cols-[minmax(0,2fr)_repeat(3,minmax(0,1fr))]"
        role="search"
        onSubmit={(e) => e.preventDefault()}
      >
        <label class="relative max-sm:col-span-2">
          <span class="sr-only">Search id, target or cause</span>
          <Icon name="search" class="pointer-events-none absolute top-2 left-2.5 text-muted" />
          <Search value={filters.q} onChange={(v) => set('q', v)} />
        </label>
        <select class="field" aria-label="Status" value={filters.status} onChange={(e) => set('status', e.currentTarget.value)}>
          <option value="">Any status</option>
          {STATUSES.map((s) => (
            <option key={s} value={s}>
              {s}
            </option>
          ))}
        </select>
        <select class="field" aria-label="Target" value={filters.target} onChange={(e) => set('target', e.currentTarget.value)}>
          <option value="">Any target</option>
          {[...new Set([...targets.current.keys(), ...(filters.target ? [filters.target] : [])])].sort().map((t) => (
            <option key={t} value={t}>
              {t}
            </option>
          ))}
        </select>
        <select
          class="field max-sm:col-span-2"
          aria-label="Cause"
          value={filters.fault}
          onChange={(e) => set('fault', e.currentTarget.value)}
        >
          <option value="">Any cause</option>
          {[
            ...new Set([
              'healthy',
              'unknown',
              ...rows.map((r) => r.fault).filter((f) => f !== null),
              ...(filters.fault ? [filters.fault] : []),
            ]),
          ]
            .sort()
            .map((f) => (
              <option key={f} value={f}>
                {words(f)}
              </option>
            ))}
        </select>
      </form>
      {poll.error && (
        <Notice
          tone={poll.error.offline && list ? 'warn' : 'bad'}
          title={list ? 'What you see may be old' : undefined}
          action={
            <button type="button" class="btn" onClick={poll.refresh}>
              Try again
            </button>
          }
        >
          {poll.error.message}.{poll.at ? ` Last answer at ${dateTime(new Date(poll.at).toISOString())} UTC.` : ''}
        </Notice>
      )}
      <div class="panel overflow-hidden">
        {!list ? (
          poll.error ? (
            <Empty title="The incidents could not be loaded" />
          ) : (
            <Loading what="the incidents" />
          )
        ) : rows.length === 0 ? (
          filtered ? (
            <Empty title="No incident matches">
              <button type="button" class="link" onClick={() => go(href([]), true)}>
                Clear the filters
              </button>
            </Empty>
          ) : (
            <Empty title="No incidents yet">
              Start one: look at a target as it is, or inject a fault into a spare machine and watch it being found.
              <div class="mt-4">
                <a class="btn btn-primary" href={href(['new'])}>
                  Start an incident
                </a>
              </div>
            </Empty>
          )
        ) : (
          <Rows rows={rows} now={now} />
        )}
      </div>
      {olderError && <Notice tone="bad">{olderError}</Notice>}
      {next && (
        <div class="text-center">
          <button type="button" class="btn" onClick={() => more(next)}>
            Show older ones
          </button>
        </div>
      )}
    </div>
  )
}

/** A search field that waits for a pause in typing. */
function Search({ value, onChange }: { value: string; onChange: (v: string) => void }) {
  const [typed, set] = useState(value)
  const timer = useRef(0)
  useEffect(() => {
    clearTimeout(timer.current)
    set(value)
  }, [value])
  return (
    <input
      data-search
      class="field pl-8"
      type="search"
      placeholder="Search id, target or cause"
      value={typed}
      onInput={(e) => {
        const v = e.currentTarget.value
        set(v)
        clearTimeout(timer.current)
        timer.current = window.setTimeout(() => onChange(v), 200)
      }}
    />
  )
}

const HEAD = 'px-3 py-1.5 not-[.text-right]:text-left text-xs font-semibold text-muted'

function Rows({ rows, now }: { rows: IncidentRow[]; now: number }) {
  return (
    <>
      <table class="hidden w-full table-fixed md:table">
        <caption class="sr-only">Incidents, newest first</caption>
        <thead class="border-b border-line bg-sunken">
          <tr>
            <th scope="col" class={`${HEAD} w-32`}>
              Status
            </th>
            <th scope="col" class={`${HEAD} w-44`}>
              Incident
            </th>
            <th scope="col" class={`${HEAD} w-44`}>
              Target
            </th>
            <th scope="col" class={HEAD}>
              Cause
            </th>
            <th scope="col" class={`${HEAD} w-16 text-right`}>
              Sure
            </th>
            <th scope="col" class={`${HEAD} w-28`}>
              Took
            </th>
            <th scope="col" class={`${HEAD} w-24`}>
              Age
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map((i) => (
            <tr key={i.incident_id} class="relative border-b border-line last:border-0 hover:bg-sunken focus-within:bg-sunken">
              <td class="px-3 py-2">
                <StatusBadge status={i.status} />
              </td>
              <td class="px-3 py-2">
                <a class="mono font-medium text-accent after:absolute after:inset-0" href={href(['incidents', i.incident_id])}>
                  {i.incident_id}
                </a>
              </td>
              <td class="truncate px-3 py-2" title={`${i.target.name} (${i.target.kind})`}>
                {i.target.name} <span class="text-muted">{i.target.kind !== i.target.name && i.target.kind}</span>
              </td>
              <td class="px-3 py-2">
                <Cause row={i} />
              </td>
              <td class="px-3 py-2 text-right tabular-nums">{percent(i.confidence)}</td>
              <td class="px-3 py-2 text-muted tabular-nums">{between(i.began, i.ended ?? now)}</td>
              <td class="px-3 py-2 text-muted" title={`${dateTime(i.began)} UTC`}>
                {ago(i.began, now)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <ul class="md:hidden">
        {rows.map((i) => (
          <li key={i.incident_id} class="relative space-y-1 border-b border-line px-3 py-2 last:border-0">
            <div class="flex items-center gap-2">
              <a class="mono font-medium text-accent after:absolute after:inset-0" href={href(['incidents', i.incident_id])}>
                {i.incident_id}
              </a>
              <span class="ml-auto">
                <StatusBadge status={i.status} />
              </span>
            </div>
            <Cause row={i} sure />
            <div class="text-xs text-muted">
              {i.target.name}, {ago(i.began, now)}, took {between(i.began, i.ended ?? now)}
            </div>
          </li>
        ))}
      </ul>
    </>
  )
}

function Cause({ row, sure = false }: { row: IncidentRow; sure?: boolean }) {
  return (
    <div class="min-w-0">
      <div class="[overflow-wrap:anywhere]">
        {row.cause ? (
          <>
            {row.cause}{' '}
            {sure && row.confidence !== null && <span class="text-muted tabular-nums whitespace-nowrap">{percent(row.confidence)}</span>}
          </>
        ) : (
          <span class="text-muted">
            {row.status === 'running' ? words(row.phase) : row.status === 'queued' ? 'waiting for its turn' : 'no cause found'}
          </span>
        )}
        {row.confirmed && ' '}
        {row.confirmed && (
          <Badge tone={row.confirmed === row.fault ? 'ok' : 'warn'} icon={row.confirmed === row.fault ? 'check' : 'warn'}>
            confirmed: {words(row.confirmed)}
          </Badge>
        )}
      </div>
      {row.scenario && <div class="text-xs text-muted">injected: {row.scenario}</div>}
    </div>
  )
}
