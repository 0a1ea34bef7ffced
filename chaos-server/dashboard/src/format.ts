// Numbers and times as people read them. Times are UTC, as in the reports.

export function time(iso: string | number | null | undefined, ms = false): string {
  const d = iso == null ? null : new Date(iso)
  if (!d || Number.isNaN(d.getTime())) return '–'
  const text = d.toISOString()
  return ms ? text.slice(11, 23) : text.slice(11, 19)
}

export function dateTime(iso: string | null | undefined): string {
  const d = iso ? new Date(iso) : null
  if (!d || Number.isNaN(d.getTime())) return '–'
  const text = d.toISOString()
  return `${text.slice(0, 10)} ${text.slice(11, 19)}`
}

export function duration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds))
  if (s < 60) return `${s} s`
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`
}

export function between(from: string, to: string | number): string {
  return duration((new Date(to).getTime() - new Date(from).getTime()) / 1000)
}

export function ago(iso: string, now: number): string {
  const s = (now - new Date(iso).getTime()) / 1000
  if (s < 5) return 'just now'
  if (s < 60) return `${Math.round(s)} s ago`
  if (s < 3600) return `${Math.round(s / 60)} min ago`
  if (s < 86_400) return `${Math.round(s / 3600)} h ago`
  return `${Math.round(s / 86_400)} d ago`
}

export function percent(p: number | null | undefined): string {
  return p == null ? '–' : `${Math.round(p * 100)} %`
}

export function bytes(n: number): string {
  for (const [unit, size] of [
    ['GiB', 2 ** 30],
    ['MiB', 2 ** 20],
    ['KiB', 2 ** 10],
  ] as const) {
    if (Math.abs(n) >= size) return `${short(n / size)} ${unit}`
  }
  return `${short(n)} B`
}

export function short(n: number): string {
  const a = Math.abs(n)
  if (a === 0) return '0'
  if (a >= 1e9) return `${trim(n / 1e9)} G`
  if (a >= 1e6) return `${trim(n / 1e6)} M`
  if (a >= 1e4) return `${trim(n / 1e3)} k`
  if (a < 0.001) return n.toExponential(1)
  return trim(n)
}

function trim(n: number): string {
  return String(Number(n.toPrecision(3)))
}

/** A value in a UCUM unit. */
export function value(n: number | null | undefined, unit: string): string {
  if (n == null) return '–'
  switch (unit) {
    case '1':
      return `${short(n * 100)} %`
    case 'By':
      return bytes(n)
    case 'By/s':
      return `${bytes(n)}/s`
    case 's':
      return Math.abs(n) < 1 && n !== 0 ? `${short(n * 1000)} ms` : `${short(n)} s`
    default:
      return `${short(n)} ${unit.replace(/[{}]/g, '')}`.trim()
  }
}

export function count(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString('en-US')} ${n === 1 ? one : many}`
}

/** `needs_approval` as words. */
export function words(id: string): string {
  return id.replace(/_/g, ' ')
}

/** An argument vector as a line to read; the server quotes what is meant to be run. */
export function commandLine(argv: string[]): string {
  return argv.map((w) => (/^[\w@%+=:,./-]+$/.test(w) ? w : `'${w.replace(/'/g, "'\\''")}'`)).join(' ')
}
