// Breaks the code on purpose, once or more for each invariant, and shows that a check catches it (docs/reliability.md).
//
//   node scripts/breakage.mjs [--only I4,I6:2] [--verbose]
import { spawn } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import path from 'node:path'

import { build } from 'esbuild'

const root = path.resolve(import.meta.dirname, '..')
process.chdir(root)

const outfile = path.join(root, '.cache', 'breakage', 'main.mjs')
await mkdir(path.dirname(outfile), { recursive: true })
await build({ entryPoints: ['test/breakage/main.ts'], outfile, bundle: true, platform: 'node', format: 'esm', target: 'node20', packages: 'external', sourcemap: 'inline', logLevel: 'warning' })
const run = spawn(process.execPath, ['--enable-source-maps', outfile, ...process.argv.slice(2)], { stdio: 'inherit' })
run.on('exit', (code) => {
  process.exitCode = code ?? 1
})
