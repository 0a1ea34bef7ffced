// Shows our own reports: headings, paragraphs, lists, tables, fenced code, and in them bold, code, links within the
// report and charts. Everything becomes text nodes; HTML in it stays visible as text, and links lead nowhere else.

import type { ComponentChildren, VNode } from 'preact'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { blob } from '../api/client'

interface Props {
  text: string
  image: (name: string) => string
  /** The address of a heading. */
  link: (heading: string) => string
  auth: boolean
}

type Block =
  | { kind: 'heading'; level: number; text: string }
  | { kind: 'code'; text: string }
  | { kind: 'list'; ordered: boolean; items: string[] }
  | { kind: 'table'; head: string[]; rows: string[][] }
  | { kind: 'quote' | 'text'; text: string }

function cells(line: string): string[] {
  const out: string[] = []
  let cell = ''
  const inner = line.trim().replace(/^\|/, '').replace(/\|$/, '')
  for (let i = 0; i < inner.length; i++) {
    if (inner[i] === '\\' && i + 1 < inner.length) cell += inner[i] + (inner[++i] ?? '')
    else if (inner[i] === '|') {
      out.push(cell.trim())
      cell = ''
    } else cell += inner[i]
  }
  out.push(cell.trim())
  return out
}

export function blocks(text: string): Block[] {
  const lines = text.split('\n')
  const out: Block[] = []
  let i = 0
  const line = () => lines[i] ?? ''
  while (i < lines.length) {
    const heading = /^(#{1,6}) (.*)$/.exec(line())
    const fence = /^(`{3,}|~{3,})/.exec(line())
    if (!line().trim()) i++
    else if (heading) {
      out.push({ kind: 'heading', level: heading[1]?.length ?? 1, text: heading[2] ?? '' })
      i++
    } else if (fence) {
      const end = fence[1] ?? '```'
      const body: string[] = []
      for (i++; i < lines.length && !(line().startsWith(end) && line().trim() === line().trim()[0]?.repeat(line().trim().length)); i++)
        body.push(line())
      i++
      out.push({ kind: 'code', text: body.join('\n') })
    } else if (/^\|/.test(line()) && /^\|[\s:|-]+\|?\s*$/.test(lines[i + 1] ?? '')) {
      const head = cells(line())
      const rows: string[][] = []
      for (i += 2; i < lines.length && line().startsWith('|'); i++) rows.push(cells(line()))
      out.push({ kind: 'table', head, rows })
    } else if (/^\s*([-*]|\d+\.) /.test(line())) {
      const ordered = /^\s*\d/.test(line())
      const items: string[] = []
      for (; i < lines.length && line().trim(); i++) {
        if (/^\s*([-*]|\d+\.) /.test(line())) items.push(line().replace(/^\s*([-*]|\d+\.) /, ''))
        else items[items.length - 1] += ` ${line().trim()}`
      }
      out.push({ kind: 'list', ordered, items })
    } else if (line().startsWith('>')) {
      const body: string[] = []
      for (; i < lines.length && line().startsWith('>'); i++) body.push(line().replace(/^> ?/, ''))
      out.push({ kind: 'quote', text: body.join(' ') })
    } else {
      const body: string[] = []
      do body.push(line())
      while (++i < lines.length && line().trim() && !/^(#{1,6} |```|~~~|\||>|\s*([-*]|\d+\.) )/.test(line()))
      out.push({ kind: 'text', text: body.join(' ') })
    }
  }
  return out
}

/** The name of a heading, as a link in the report has it. */
function slug(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replace(/\s/g, '-')
}

const plain = (text: string) => text.replace(/\\([^A-Za-z0-9\s])/g, '$1')
const INLINE =
  /(`+)([\s\S]*?[^`])\1(?!`)|!\[((?:\\.|[^\]])*)\]\(([^)\s]*)\)|\[((?:\\.|[^\]])*)\]\(([^)\s]*)\)|\*\*((?:\\.|[^*])+)\*\*|\\([^A-Za-z0-9\s])/g

function inline(text: string, props: Props): ComponentChildren[] {
  const out: ComponentChildren[] = []
  let at = 0
  for (const m of text.matchAll(INLINE)) {
    if (m.index > at) out.push(text.slice(at, m.index))
    at = m.index + m[0].length
    if (m[2] !== undefined) out.push(<code class="mono rounded bg-sunken px-1 [overflow-wrap:anywhere]">{m[2]}</code>)
    else if (m[4] !== undefined) out.push(<Picture alt={plain(m[3] ?? '')} src={m[4]} image={props.image} auth={props.auth} />)
    else if (m[6] !== undefined) {
      const to = m[6]
      const label = inline(m[5] ?? '', props)
      out.push(
        to.startsWith('#') ? (
          <a
            class="link"
            href={props.link(to.slice(1))}
            onClick={(e) => {
              e.preventDefault()
              jump(to.slice(1))
            }}
          >
            {label}
          </a>
        ) : (
          <span>
            {label} ({to})
          </span>
        ),
      )
    } else if (m[7] !== undefined) out.push(<strong class="font-semibold">{inline(m[7], props)}</strong>)
    else if (m[8] !== undefined) out.push(m[8])
  }
  if (at < text.length) out.push(text.slice(at))
  return out
}

export function jump(name: string) {
  const el = document.getElementById(`report-${name}`)
  el?.scrollIntoView({ block: 'start' })
  el?.focus({ preventScroll: true })
}

function Picture({ alt, src, image, auth }: { alt: string; src: string } & Pick<Props, 'image' | 'auth'>) {
  const ours = /^artifacts\/[\w.-]+\.(svg|png)$/.test(src)
  const [url, setUrl] = useState<string | null>(ours && !auth ? image(src) : null)
  useEffect(() => {
    if (!ours || !auth) return
    let made = ''
    let gone = false
    blob(image(src))
      .then((b) => {
        if (gone) return
        made = URL.createObjectURL(b)
        setUrl(made)
      })
      .catch(() => {})
    return () => {
      gone = true
      if (made) URL.revokeObjectURL(made)
    }
  }, [src, auth])
  return url ? (
    <img class="max-w-full rounded border border-line bg-white" alt={alt} src={url} loading="lazy" />
  ) : (
    <span class="text-muted">[{alt}]</span>
  )
}

const SIZES = ['text-lg', 'text-base', 'text-[15px]', '', '', '']

export function Markdown(props: Props) {
  const parsed = useMemo(() => blocks(props.text), [props.text])
  const used = new Map<string, number>()
  const name = (text: string) => {
    const base = slug(plain(text))
    const n = used.get(base) ?? 0
    used.set(base, n + 1)
    return `report-${base}${n ? `-${n}` : ''}`
  }
  return (
    <article aria-label="The report" class="max-w-[80ch] space-y-2.5">
      {parsed.map((b, i): VNode => {
        switch (b.kind) {
          case 'heading': {
            // The page has an h1 and the panel an h2.
            const Tag = `h${Math.min(6, b.level + 2)}` as 'h3'
            return (
              <Tag key={i} id={name(b.text)} tabIndex={-1} class={`pt-2 font-semibold [overflow-wrap:anywhere] ${SIZES[b.level - 1]}`}>
                {inline(b.text, props)}
              </Tag>
            )
          }
          case 'code':
            return (
              <pre key={i} class="code" tabIndex={0}>
                {b.text}
              </pre>
            )
          case 'list': {
            const items = b.items.map((x, k) => (
              <li key={k} class="[overflow-wrap:anywhere]">
                {inline(x, props)}
              </li>
            ))
            return b.ordered ? (
              <ol key={i} class="list-decimal space-y-1 pl-6">
                {items}
              </ol>
            ) : (
              <ul key={i} class="list-disc space-y-1 pl-6">
                {items}
              </ul>
            )
          }
          case 'table':
            return (
              <div key={i} class="overflow-x-auto" tabIndex={0} role="group" aria-label="Table">
                <table class="text-[13px]">
                  <thead>
                    <tr>
                      {b.head.map((c, k) => (
                        <th key={k} scope="col" class="border border-line bg-sunken px-2 py-1 text-left font-semibold">
                          {inline(c, props)}
                        </th>
                      ))}
                    </tr>
                  </thead>
                  <tbody>
                    {b.rows.map((r, k) => (
                      <tr key={k}>
                        {r.map((c, n) => (
                          <td key={n} class="border border-line px-2 py-1 align-top [overflow-wrap:anywhere]">
                            {inline(c, props)}
                          </td>
                        ))}
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
            )
          case 'quote':
            return (
              <blockquote key={i} class="border-l-3 border-line-strong pl-3 text-muted">
                {inline(b.text, props)}
              </blockquote>
            )
          default:
            return (
              <p key={i} class="[overflow-wrap:anywhere]">
                {inline(b.text, props)}
              </p>
            )
        }
      })}
    </article>
  )
}
