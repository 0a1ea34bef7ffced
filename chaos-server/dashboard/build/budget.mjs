// Fails when what the first page loads, packed, is more than its budget, or all there is more than its own: the chart's
// chunk comes later, and must not hide what belongs to neither.
import { readdirSync, readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

const FIRST = 60 * 1024
const ALL = 80 * 1024
const dist = new URL('../dist/', import.meta.url)
const size = (name) => gzipSync(readFileSync(new URL(name, dist)), { level: 9 }).length
const index = readFileSync(new URL('index.html', dist), 'utf8')
let first = 0
let all = 0
for (const name of readdirSync(new URL('assets/', dist)).sort()) {
  const bytes = size(`assets/${name}`)
  const now = index.includes(`/assets/${name}`)
  if (/\.(js|css)$/.test(name)) {
    all += bytes
    if (now) first += bytes
  }
  console.log(`${name}: ${bytes} bytes gzip, ${now ? 'with the first page' : 'later'}`)
}
console.log(`first load: ${first} of ${FIRST} bytes; all: ${all} of ${ALL} bytes`)
if (first === 0 || first > FIRST || all > ALL) {
  console.error('the budget is not kept')
  process.exit(1)
}
if (/<script(?![^>]*\bsrc=)|\sstyle=|https?:\/\//.test(index)) {
  console.error('index.html has something inline or from elsewhere, which the content security policy forbids')
  process.exit(1)
}
