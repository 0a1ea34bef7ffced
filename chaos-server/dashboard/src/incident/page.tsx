// One incident: its header, its timeline, and beside it the panels. On a narrow screen the timeline is a panel too.

import { useEffect, useState } from 'preact/hooks'
import { href } from '../route'
import { useKeys } from '../ui/keys'
import { Empty, Loading, Notice } from '../ui/parts'
import { time } from '../format'
import { DiagnosisPanel } from './diagnosis'
import { FilesPanel } from './files'
import { FixPanel } from './fix'
import { Header } from './header'
import { type Tab, TABS, openTab, tabHref } from './link'
import { LogsPanel } from './logs'
import { MetricsPanel } from './metrics'
import { RiskPanel } from './risk'
import { type IncidentState, useIncident } from './state'
import { Timeline } from './timeline'

const WIDE = matchMedia('(min-width: 1024px)')

function useWide(): boolean {
  const [wide, set] = useState(WIDE.matches)
  useEffect(() => {
    const f = () => set(WIDE.matches)
    WIDE.addEventListener('change', f)
    return () => WIDE.removeEventListener('change', f)
  }, [])
  return wide
}

export interface PanelProps {
  id: string
  incident: IncidentState
  query: URLSearchParams
}

export function IncidentPage({ id, tab, query }: { id: string; tab: string | undefined; query: URLSearchParams }) {
  const incident = useIncident(id)
  const wide = useWide()
  const known = TABS.find((t) => t.id === tab)?.id
  const current: Tab = known && !(wide && known === 'timeline') ? known : wide ? 'diagnosis' : 'timeline'
  const shown = TABS.filter((t) => !wide || t.id !== 'timeline')
  useKeys({
    r: incident.refresh,
    ...Object.fromEntries(shown.map((t, i) => [String(i + 1), () => openTab(id, t.id)])),
  })

  if (!incident.status) {
    if (incident.error?.status === 404) {
      return (
        <Empty title="There is no such incident">
          <span class="mono">{id}</span>.{' '}
          <a class="link" href={href([])}>
            To the incidents
          </a>
        </Empty>
      )
    }
    return (
      <div class="p-4">
        {incident.error ? (
          <Notice
            tone="bad"
            title="The incident could not be loaded"
            action={
              <button type="button" class="btn" onClick={incident.refresh}>
                Try again
              </button>
            }
          >
            {incident.error.message}
          </Notice>
        ) : (
          <Loading what={id} rows={10} />
        )}
      </div>
    )
  }

  const panelProps = { id, incident, query }
  const panel = {
    timeline: <Timeline {...panelProps} />,
    diagnosis: <DiagnosisPanel {...panelProps} />,
    logs: <LogsPanel {...panelProps} />,
    metrics: <MetricsPanel {...panelProps} />,
    fix: <FixPanel {...panelProps} />,
    risk: <RiskPanel {...panelProps} />,
    files: <FilesPanel {...panelProps} />,
  }
  return (
    <div class="flex h-full flex-col">
      <Header id={id} incident={incident} />
      {incident.error && (
        <div class="flex-none px-3 pt-2">
          <Notice
            tone="warn"
            title={incident.error.offline ? 'The server is out of reach' : 'The last refresh failed'}
            action={
              <button type="button" class="btn" onClick={incident.refresh}>
                Try again
              </button>
            }
          >
            {incident.error.message}. You see what was known at {time(incident.at ?? Date.now())} UTC; it is tried again by itself.
          </Notice>
        </div>
      )}
      <div class="grid min-h-0 flex-1 lg:grid-cols-[minmax(22rem,2fr)_minmax(0,3fr)]">
        {wide && (
          <section aria-label="Timeline" class="flex min-h-0 flex-col border-r border-line">
            {panel.timeline}
          </section>
        )}
        <div class="flex min-h-0 min-w-0 flex-col">
          <Tabs id={id} shown={shown} current={current} incident={incident} />
          <div
            role="tabpanel"
            id="panel"
            aria-labelledby={`tab-${current}`}
            tabIndex={0}
            class={`min-h-0 flex-1 focus-visible:-outline-offset-2 ${current === 'logs' || current === 'timeline' ? 'flex flex-col overflow-hidden' : 'overflow-y-auto'}`}
            key={current}
          >
            {panel[current]}
          </div>
        </div>
      </div>
    </div>
  )
}

function Tabs({ id, shown, current, incident }: { id: string; shown: typeof TABS; current: Tab; incident: IncidentState }) {
  const counts: Partial<Record<Tab, number>> = {
    timeline: incident.events.length,
    logs: incident.seen?.streams.reduce((n, s) => n + s.lines.length, 0),
    metrics: incident.seen?.metrics.length,
    fix: incident.detail?.plans.reduce((n, p) => n + p.actions.length, 0),
    files: incident.detail?.files.length,
  }
  const move = (e: KeyboardEvent) => {
    const at = shown.findIndex((t) => t.id === current)
    const to = { ArrowRight: (at + 1) % shown.length, ArrowLeft: (at + shown.length - 1) % shown.length, Home: 0, End: shown.length - 1 }[
      e.key
    ]
    const tab = to === undefined ? undefined : shown[to]
    if (!tab) return
    e.preventDefault()
    openTab(id, tab.id)
    document.getElementById(`tab-${tab.id}`)?.focus()
  }
  useEffect(() => {
    document.getElementById(`tab-${current}`)?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  }, [current, Object.values(counts).join()])
  return (
    <div
      role="tablist"
      aria-label="Panels"
      class="flex flex-none gap-1 overflow-x-auto border-b border-line bg-panel px-2 [scrollbar-width:none]"
      onKeyDown={move}
    >
      {shown.map((t) => (
        <a
          key={t.id}
          id={`tab-${t.id}`}
          role="tab"
          href={tabHref(id, t.id)}
          aria-selected={t.id === current}
          aria-controls={t.id === current ? 'panel' : undefined}
          tabIndex={t.id === current ? 0 : -1}
          class={`border-b-2 px-2 py-2 whitespace-nowrap ${t.id === current ? 'border-accent font-semibold text-accent' : 'border-transparent text-muted hover:text-text'}`}
        >
          {t.label}
          {counts[t.id] ? (
            <span class="ml-1.5 text-xs font-normal text-muted tabular-nums">{counts[t.id]?.toLocaleString('en-US')}</span>
          ) : null}
        </a>
      ))}
    </div>
  )
}
