// The report and every other file of the incident.

import { useEffect, useState } from 'preact/hooks'
import { fileUrl, save, text, visible } from '../api/client'
import { bytes } from '../format'
import { useSession } from '../session'
import { Icon } from '../ui/icons'
import { Copy, Empty, Loading, Notice, Section } from '../ui/parts'
import { tabHref } from './link'
import { jump, Markdown } from './markdown'
import type { PanelProps } from './page'
import { isOver } from './state'

export function FilesPanel({ id, incident, query }: PanelProps) {
  const { me } = useSession()
  const files = incident.detail?.files ?? []
  const has = (name: string) => files.some((f) => f.name === name)
  const ready = has('report.md')
  const [error, setError] = useState<string | null>(null)
  const [busy, setBusy] = useState<string | null>(null)
  const [report, setReport] = useState<string | null>(null)
  const key = files.find((f) => f.name === 'report.md')?.bytes
  useEffect(() => {
    if (!ready) return
    const stop = new AbortController()
    text(`/report/${encodeURIComponent(id)}?format=md`, stop.signal)
      .then((t) => setReport(visible(t)))
      .catch((e: Error) => !stop.signal.aborted && setError(e.message))
    return () => stop.abort()
  }, [id, ready, key])
  const heading = query.get('at')
  useEffect(() => {
    if (heading && report !== null) jump(heading)
  }, [heading, report])
  const fetchFile = async (path: string, name: string) => {
    setBusy(name)
    setError(null)
    try {
      await save(path, name)
    } catch (e) {
      setError(`${name}: ${e instanceof Error ? e.message : String(e)}`)
    }
    setBusy(null)
  }
  const link = (format: string) => `/report/${encodeURIComponent(id)}?format=${format}&download=1`
  return (
    <div class="space-y-3 p-3">
      {error && (
        <Notice tone="bad" title="A file could not be loaded">
          {error}
        </Notice>
      )}
      <Section
        title="Report"
        aside={
          has('slack_summary.txt') && (
            <Copy label="Copy the summary" text={() => text(fileUrl(id, 'slack_summary.txt'))} class="min-h-7! py-0!" />
          )
        }
      >
        {ready ? (
          <div class="flex flex-wrap gap-2">
            {(['md', 'html', ...(me.pdf ? ['pdf'] : [])] as const).map((format) => (
              <button
                key={format}
                type="button"
                class="btn"
                disabled={busy !== null}
                onClick={() => fetchFile(link(format), `${id}-report.${format}`)}
              >
                <Icon name="download" /> {busy === `${id}-report.${format}` ? 'Loading' : `report.${format}`}
              </button>
            ))}
            {!me.pdf && <span class="self-center text-xs text-muted">This server was built without PDF.</span>}
          </div>
        ) : (
          <p class="text-muted">
            {isOver(incident.status?.status) ? 'No report was written.' : 'The report is written at the end of the run.'}
          </p>
        )}
        {ready &&
          (report === null ? (
            !error && <Loading what="the report" />
          ) : (
            <div class="mt-3 border-t border-line pt-3">
              <Markdown
                text={report}
                image={(name) => fileUrl(id, name)}
                link={(at) => tabHref(id, 'files', { at })}
                auth={me.auth_required}
              />
            </div>
          ))}
      </Section>
      <Section title="Files" aside={`${files.length}`}>
        {files.length === 0 ? (
          <Empty title="No files yet" />
        ) : (
          <ul class="divide-y divide-line">
            {files.map((f) => (
              <li key={f.name} class="flex items-center gap-3 py-1">
                <span class="mono min-w-0 flex-1 [overflow-wrap:anywhere]">{f.name}</span>
                <span class="text-xs text-muted tabular-nums">{bytes(f.bytes)}</span>
                <button
                  type="button"
                  class="btn btn-quiet"
                  disabled={busy !== null}
                  aria-label={`Download ${f.name}`}
                  onClick={() => fetchFile(fileUrl(id, f.name), f.name.split('/').pop() ?? 'file')}
                >
                  <Icon name="download" />
                </button>
              </li>
            ))}
          </ul>
        )}
      </Section>
    </div>
  )
}
