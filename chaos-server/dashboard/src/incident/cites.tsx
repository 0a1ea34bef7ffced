// Citations as links: one click from a claim to the lines or samples that it rests on.

import type { Cite } from '../api/types'
import { Icon } from '../ui/icons'
import { citeHref } from './link'
import { citeLabel, type Seen } from './seen'

export function CiteChips({
  id,
  seen,
  finding,
  cites,
  most = 6,
}: {
  id: string
  seen: Seen | null
  finding: number
  cites: Cite[]
  most?: number
}) {
  const beyond = cites.length - most
  return (
    <span class="flex flex-wrap gap-1">
      {cites.slice(0, most).map((c, i) => {
        const { kind, label } = citeLabel(seen, c)
        return (
          <a key={i} class="chip hover:bg-accent-soft" href={citeHref(id, kind, c, finding)}>
            <Icon name="evidence" class="size-3" />
            <span class="truncate">{label}</span>
          </a>
        )
      })}
      {beyond > 0 && <span class="text-xs leading-5 text-muted">and {beyond} more</span>}
    </span>
  )
}
