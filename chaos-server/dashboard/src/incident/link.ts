// Links into an incident: a panel, and in it the rows of a citation.

import type { Cite } from '../api/types'
import { go, href } from '../route'

export type Tab = 'timeline' | 'diagnosis' | 'logs' | 'metrics' | 'fix' | 'risk' | 'files'
export const TABS: { id: Tab; label: string }[] = [
  { id: 'timeline', label: 'Timeline' },
  { id: 'diagnosis', label: 'Diagnosis' },
  { id: 'logs', label: 'Logs' },
  { id: 'metrics', label: 'Metrics' },
  { id: 'fix', label: 'Fix' },
  { id: 'risk', label: 'Risk' },
  { id: 'files', label: 'Report and files' },
]

export function tabHref(id: string, tab: Tab, query: Record<string, string | number | null> = {}): string {
  return href(['incidents', id, tab], query)
}

export function citeHref(id: string, kind: 'logs' | 'metric' | 'gone', cite: Cite, finding: number): string {
  return tabHref(id, kind === 'metric' ? 'metrics' : 'logs', {
    evidence: cite.evidence,
    rows: `${cite.rows.start}-${cite.rows.end}`,
    finding,
  })
}

export function openTab(id: string, tab: Tab) {
  go(tabHref(id, tab))
}

/** The citation that an address names. */
export function citeOf(query: URLSearchParams): (Cite & { finding: number | null }) | null {
  const evidence = query.get('evidence')
  const rows = /^(\d+)-(\d+)$/.exec(query.get('rows') ?? '')
  if (evidence === null || !/^\d+$/.test(evidence) || !rows) return null
  const finding = query.get('finding')
  return {
    evidence: Number(evidence),
    rows: { start: Number(rows[1]), end: Number(rows[2]) },
    finding: finding && /^\d+$/.test(finding) ? Number(finding) : null,
  }
}
