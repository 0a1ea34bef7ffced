// A list of any length of which only what can be seen is in the page. Rows may have any height: they are measured when
// they are first shown, and what is measured above the view does not move it. At its end it follows what is appended.

import type { ComponentChildren } from 'preact'
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { count } from '../format'
import { Icon } from './icons'

interface Props<T> {
  items: T[]
  keyOf: (item: T, index: number) => string | number
  render: (item: T, index: number) => ComponentChildren
  /** Height of a row that was not shown yet, in pixels. */
  estimate: number
  label: string
  /** When this changes, the rows are others than before. */
  subject: string
  /** Stay at the end when rows are appended and the end is in view. */
  follow?: boolean
  /** Bring a row into view; again whenever the object is another. */
  target?: { index: number } | null
  class?: string
  /** Any key that rows do not know. */
  onKey?: (e: KeyboardEvent) => void
}

const OVERSCAN = 400
const NEAR_END = 24

/** Tops of rows, from heights that are known or estimated. */
class Heights {
  private known = new Float64Array(0)
  private tops = new Float64Array(1)
  private valid = 0
  constructor(private readonly estimate: number) {}

  resize(n: number) {
    if (n > this.known.length) {
      const grown = new Float64Array(Math.max(n, this.known.length * 2, 64))
      grown.set(this.known)
      this.known = grown
      const tops = new Float64Array(grown.length + 1)
      tops.set(this.tops)
      this.tops = tops
    }
  }

  top(i: number): number {
    for (; this.valid < i; this.valid++) {
      const h = this.known[this.valid] || this.estimate
      this.tops[this.valid + 1] = (this.tops[this.valid] ?? 0) + h
    }
    return this.tops[i] ?? 0
  }

  height(i: number): number {
    return this.known[i] || this.estimate
  }

  set(i: number, height: number) {
    this.known[i] = height
    this.valid = Math.min(this.valid, i)
  }

  clear() {
    this.known.fill(0)
    this.valid = 0
  }

  /** The row at a height. */
  at(y: number, n: number): number {
    let low = 0
    let high = Math.max(0, n - 1)
    this.top(n)
    while (low < high) {
      const mid = (low + high + 1) >> 1
      if (this.top(mid) <= y) low = mid
      else high = mid - 1
    }
    return low
  }
}

export function VirtualList<T>(props: Props<T>) {
  const { items, keyOf, render, estimate, label, subject, follow = false, target, onKey } = props
  const n = items.length
  const scroller = useRef<HTMLDivElement>(null)
  const heights = useRef<Heights>(new Heights(estimate))
  const state = useRef({
    top: 0,
    view: 600,
    width: 0,
    atEnd: true,
    focus: -1,
    take: false,
    seek: -1,
    seekLeft: 0,
    subject,
    seen: n,
    unseen: 0,
  })
  const [, set] = useState(0)
  const again = useCallback(() => set((v) => v + 1), [])
  const s = state.current
  const h = heights.current
  h.resize(n)
  if (s.subject !== subject) {
    s.subject = subject
    s.focus = -1
    s.seen = n
    s.unseen = 0
    h.clear()
  }
  if (n > s.seen && !s.atEnd) s.unseen += n - s.seen
  if (n < s.seen) s.unseen = 0
  s.seen = n

  const lastTarget = useRef<object | null>(null)
  if (target && target !== lastTarget.current && target.index < n) {
    lastTarget.current = target
    s.seek = target.index
    s.seekLeft = 6
    s.atEnd = false
  }

  const total = h.top(n)
  const pin = follow && s.atEnd && s.seek < 0
  const top =
    s.seek >= 0 ? Math.max(0, h.top(s.seek) - s.view / 3) : pin ? Math.max(0, total - s.view) : Math.min(s.top, Math.max(0, total - s.view))
  const first = n ? h.at(Math.max(0, top - OVERSCAN), n) : 0
  const last = n ? h.at(top + s.view + OVERSCAN, n) : -1
  const rows: number[] = []
  for (let i = first; i <= last; i++) rows.push(i)
  if (s.focus >= 0 && s.focus < n && (s.focus < first || s.focus > last)) rows.push(s.focus)

  useLayoutEffect(() => {
    const el = scroller.current
    if (!el) return
    let moved = false
    let shift = 0
    for (const row of el.querySelectorAll<HTMLElement>(':scope > div > [data-index]')) {
      const i = Number(row.dataset.index)
      const height = row.offsetHeight
      if (height > 0 && Math.abs(height - h.height(i)) > 0.5) {
        if (h.top(i) + h.height(i) <= el.scrollTop) shift += height - h.height(i)
        h.set(i, height)
        moved = true
      }
    }
    const total = h.top(n)
    if (s.seek >= 0) {
      const to = Math.max(0, Math.min(h.top(s.seek) - s.view / 3, total - s.view))
      el.scrollTop = to
      s.top = to
      if (!moved || --s.seekLeft <= 0) s.seek = -1
    } else if (follow && s.atEnd) {
      el.scrollTop = total
      s.top = el.scrollTop
    } else if (shift) {
      el.scrollTop += shift
      s.top = el.scrollTop
    }
    if (s.take) {
      const focus = el.querySelector<HTMLElement>(`[data-index="${s.focus}"] [data-focus]`)
      if (focus) {
        s.take = false
        focus.focus({ preventScroll: true })
      }
    }
    if (moved) again()
  })

  useEffect(() => {
    const el = scroller.current
    if (!el) return
    const observer = new ResizeObserver(() => {
      if (Math.abs(el.clientWidth - s.width) > 1) {
        s.width = el.clientWidth
        h.clear()
      }
      s.view = el.clientHeight
      again()
    })
    observer.observe(el)
    return () => observer.disconnect()
  }, [])

  const frame = useRef(0)
  const onScroll = () => {
    const el = scroller.current
    if (!el || frame.current) return
    frame.current = requestAnimationFrame(() => {
      frame.current = 0
      s.top = el.scrollTop
      s.atEnd = el.scrollTop + el.clientHeight >= h.top(n) - NEAR_END
      if (s.atEnd) s.unseen = 0
      again()
    })
  }

  const focusRow = (i: number) => {
    const el = scroller.current
    if (!el || !n) return
    s.focus = Math.max(0, Math.min(n - 1, i))
    s.take = true
    const t = h.top(s.focus)
    const b = t + h.height(s.focus)
    if (t < el.scrollTop) el.scrollTop = t
    else if (b > el.scrollTop + el.clientHeight) el.scrollTop = b - el.clientHeight
    s.top = el.scrollTop
    s.atEnd = el.scrollTop + el.clientHeight >= h.top(n) - NEAR_END
    again()
  }

  const onKeyDown = (e: KeyboardEvent) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return
    const row = (e.target as HTMLElement).closest<HTMLElement>('[data-index]')
    const now = row ? Number(row.dataset.index) : h.at(s.top, n) - 1
    const page = Math.max(1, Math.floor(s.view / estimate) - 1)
    const to = {
      ArrowDown: now + 1,
      j: now + 1,
      ArrowUp: now - 1,
      k: now - 1,
      PageDown: now + page,
      PageUp: now - page,
      Home: 0,
      End: n - 1,
    }[e.key]
    if (to === undefined) return onKey?.(e)
    e.preventDefault()
    focusRow(to)
  }

  const toEnd = () => {
    s.atEnd = true
    s.unseen = 0
    const el = scroller.current
    if (el) el.scrollTop = el.scrollHeight
    again()
  }

  return (
    <div class={`relative min-h-0 ${props.class ?? ''}`}>
      <div
        ref={scroller}
        role="list"
        aria-label={label}
        tabIndex={0}
        onScroll={onScroll}
        onKeyDown={onKeyDown}
        onFocusIn={(e) => {
          const row = (e.target as HTMLElement).closest<HTMLElement>('[data-index]')
          if (row) s.focus = Number(row.dataset.index)
        }}
        class="absolute inset-0 overflow-x-hidden overflow-y-auto [overflow-anchor:none] focus-visible:-outline-offset-2"
      >
        <div role="presentation" class="relative" style={{ height: `${total}px` }}>
          {rows.map((i) => (
            <div
              key={keyOf(items[i] as T, i)}
              role="listitem"
              aria-setsize={n}
              aria-posinset={i + 1}
              data-index={i}
              class="absolute inset-x-0"
              style={{ top: `${h.top(i)}px` }}
            >
              {render(items[i] as T, i)}
            </div>
          ))}
        </div>
      </div>
      {follow && !s.atEnd && (
        <button type="button" class="btn btn-primary absolute bottom-3 left-1/2 -translate-x-1/2 shadow" onClick={toEnd}>
          <Icon name="down" />
          {s.unseen > 0 ? `${count(s.unseen, 'new entry', 'new entries')}` : 'To the end'}
        </button>
      )}
    </div>
  )
}
