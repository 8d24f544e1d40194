// Usage: node scripts/complete-lock.mjs [--check]
//
// Tools with a native part (@swc/core, the module resolver of jest and the linter) come as one optional package a
// platform. npm sometimes writes a lock that lacks those of the platforms where it does not run, and `npm ci` then
// refuses that lock everywhere. Run after a change of dependencies, this adds what is missing: the exact version that
// the parent asks for, and the platform, which these packages say in their names. With --check it only reports.
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'

const file = path.resolve(import.meta.dirname, '..', 'package-lock.json')
const lock = JSON.parse(readFileSync(file, 'utf8'))
const SYSTEMS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32']

/** The `os`, `cpu` and `libc` of "@swc/core-linux-x64-musl" and the like; undefined for a name that says nothing. */
function platformOf(name) {
  const parts = name.split(/[/-]/)
  const at = parts.findIndex((part) => SYSTEMS.includes(part))
  const cpu = parts[at + 1]
  if (at < 0 || cpu === undefined) return undefined
  const abi = parts[at + 2] ?? ''
  const libc = abi.startsWith('musl') ? 'musl' : abi.startsWith('gnu') ? 'glibc' : undefined
  return { cpu: [cpu], libc, os: [parts[at]] }
}

const added = []
for (const [place, parent] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    const target = `node_modules/${name}`
    // A nested copy counts too: npm looks upwards from the parent's own folder.
    if (lock.packages[target] !== undefined || lock.packages[`${place}/${target}`] !== undefined) continue
    const platform = platformOf(name)
    if (platform === undefined || !/^\d/.test(version)) {
      console.error(`complete-lock: ${name}@${version}, wanted by ${place}, is missing and says no platform`)
      process.exitCode = 1
      continue
    }
    // In npm's order, so that npm's next write changes nothing; what is undefined is left out of the file.
    const { cpu, libc, os } = platform
    lock.packages[target] = { version, cpu, dev: parent.dev, libc: libc && [libc], optional: true, os, engines: parent.engines }
    added.push(`${name}@${version}`)
  }
}

if (added.length === 0) {
  console.log('complete-lock: nothing is missing')
} else if (process.argv.includes('--check')) {
  console.error(`complete-lock: missing: ${added.join(', ')}`)
  process.exitCode = 1
} else {
  lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, 'en')))
  writeFileSync(file, `${JSON.stringify(lock, undefined, 2)}\n`)
  console.log(`complete-lock: added ${added.join(', ')}`)
}
