// The plugins of the configuration: what each is, and what it may do.

import { useEffect, useState } from 'preact/hooks'
import { get } from '../api/client'
import type { Plugin, PluginList } from '../api/types'
import { Badge, Empty, Loading, Notice, Section } from '../ui/parts'

export function PluginsPage() {
  const [list, setList] = useState<PluginList | null>(null)
  const [error, setError] = useState<string | null>(null)
  const load = () => {
    setError(null)
    get<PluginList>('/plugins')
      .then(setList)
      .catch((e: Error) => setError(e.message))
  }
  useEffect(load, [])
  return (
    <div class="mx-auto max-w-4xl space-y-3 p-3 sm:p-4">
      <h1 class="text-lg font-semibold">Plugins</h1>
      {error ? (
        <Notice
          tone="bad"
          title="The plugins could not be loaded"
          action={
            <button type="button" class="btn" onClick={load}>
              Try again
            </button>
          }
        >
          {error}
        </Notice>
      ) : list ? (
        <List list={list} />
      ) : (
        <div class="panel">
          <Loading what="plugins" />
        </div>
      )}
    </div>
  )
}

function List({ list }: { list: PluginList }) {
  if (!list.plugins.length && !list.refused.length) {
    return (
      <Empty title="No plugins">
        Detectors and fixers of others are named in the configuration file (<code class="mono">plugins = ["plugins/"]</code>) and are then
        part of every incident.
      </Empty>
    )
  }
  return (
    <>
      {list.refused.map((r) => (
        <Notice key={r.file} tone="bad" title={`${r.file} is not used`}>
          <span class="[overflow-wrap:anywhere]">{r.why}</span>
        </Notice>
      ))}
      {list.plugins.map((p) => (
        <View key={p.name} plugin={p} />
      ))}
    </>
  )
}

function View({ plugin: p }: { plugin: Plugin }) {
  const limits = p.granted.limits
  const refused = p.asks.filter((asked) => !p.granted.commands.some((c) => c === asked || c.startsWith(`${asked} `)))
  return (
    <Section
      title={`${p.name} ${p.version}`}
      aside={p.roles.map((role) => (
        <Badge key={role} tone="none">
          {role}
        </Badge>
      ))}
    >
      <p class="[overflow-wrap:anywhere]">{p.description}</p>
      <dl class="mt-2 grid gap-x-4 gap-y-1 text-[13px] sm:grid-cols-[8rem_1fr]">
        <dt class="text-muted">SHA-256</dt>
        <dd class="mono text-xs! [overflow-wrap:anywhere]">{p.sha256}</dd>
        <dt class="text-muted">May run there</dt>
        <dd class="[overflow-wrap:anywhere]">
          {p.granted.commands.length === 0 && 'nothing: it sees what was collected'}
          {p.granted.commands.map((c) => (
            <code key={c} class="mono block text-xs!">
              {c} …
            </code>
          ))}
          {p.granted.commands.length > 0 && <span class="text-muted">where that only reads</span>}
        </dd>
        {refused.length > 0 && (
          <>
            <dt class="text-muted">Not granted</dt>
            <dd class="mono text-xs! [overflow-wrap:anywhere]">{refused.join(', ')}</dd>
          </>
        )}
        <dt class="text-muted">Limits of a call</dt>
        <dd>
          {limits.memory_mb} MiB, {limits.time_ms} ms, {limits.output_kb} KiB of output, {limits.log_lines} lines in the trace,{' '}
          {limits.commands} commands
        </dd>
      </dl>
    </Section>
  )
}
