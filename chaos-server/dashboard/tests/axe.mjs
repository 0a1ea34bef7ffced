// What axe-core calls serious or worse on a page, as text.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

export async function serious(page) {
  // By the debugger, since the page's policy forbids scripts from elsewhere.
  await page.evaluate(source)
  const { violations, passes } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }))
  if (passes.length < 5) throw new Error('axe looked at next to nothing')
  return violations
    .filter((v) => v.impact === 'serious' || v.impact === 'critical')
    .map(
      (v) =>
        `${v.id}: ${v.help}\n${v.nodes
          .slice(0, 4)
          .map((n) => `  ${n.html.slice(0, 160)} ${n.any[0]?.message ?? ''}`)
          .join('\n')}`,
    )
}
