// The long form of the fault harness (docs/reliability.md): every fault so many times, each run with a seed of its own.
//
//   node scripts/faults.mjs [--redis single,cluster,sentinel] [--runs N] [--only NAME,…] [--pairs N] [--seed S] [--jobs J] [--minutes M] [--journal FILE] [--report FILE]
//
// --pairs N draws N pairs of faults that overlap; `--only a+b` runs one of them again. With --journal a run that was stopped,
// by --minutes or otherwise, goes on where it was when the same command is given again.
import { spawn } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import path from 'node:path'

import { build } from 'esbuild'

const root = path.resolve(import.meta.dirname, '..')
process.chdir(root)

// Two levels below the root, as test/support is: what looks for the root from there finds it.
const outfile = path.join(root, '.cache', 'faults', 'main.mjs')
await mkdir(path.dirname(outfile), { recursive: true })
await build({
  entryPoints: ['test/faults/main.ts'],
  outfile,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  packages: 'external',
  sourcemap: 'inline',
  logLevel: 'warning',
  // The tests' support registers jest's hooks where it is asked to; nobody asks here.
  alias: { '@jest/globals': './scripts/lib/no-jest.mjs' },
})
const run = spawn(process.execPath, ['--enable-source-maps', outfile, ...process.argv.slice(2)], { stdio: 'inherit' })
run.on('exit', (code) => {
  process.exitCode = code ?? 1
})
