// Bundles the bench, so that it is TypeScript like the rest, and runs it: `npm run bench -- [options]`, see bench/options.ts; with
// --scaling, the cost model of docs/scaling.md (`--write` puts it there).
// Rollcall itself runs from dist/.
import { spawn, spawnSync } from 'node:child_process'
import path from 'node:path'

import { build } from 'esbuild'

const root = path.resolve(import.meta.dirname, '..')
process.chdir(root)

const { status } = spawnSync('bash', ['-c', '. scripts/lib/common.sh && build_if_stale'], { stdio: 'inherit' })
if (status !== 0) process.exit(1)

// Two levels below the root: what looks for the root from there finds it.
const outdir = path.join(root, '.cache', 'bench')
const servers = Object.fromEntries(['naive', 'socket-io', 'ws'].map((name) => [name, `bench/peers/servers/${name}.ts`]))
await build({
  entryPoints: { main: 'bench/main.ts', scaling: 'bench/scaling/main.ts', probe: 'bench/lib/probe.ts', ...servers },
  outdir,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  packages: 'external',
  sourcemap: 'inline',
  logLevel: 'warning',
})
const args = process.argv.slice(2)
const entry = args.includes('--scaling') ? ['--expose-gc', path.join(outdir, 'scaling.mjs')] : [path.join(outdir, 'main.mjs')]
const run = spawn(process.execPath, ['--enable-source-maps', ...entry, ...args], { stdio: 'inherit' })
run.on('exit', (code) => {
  process.exitCode = code ?? 1
})
