#!/usr/bin/env node
import { run } from './run.js'

/** How long what was printed may take to get through a pipe before whatever else is open is cut off, in ms. */
const FLUSH_MS = 1_000

const terminal = { env: process.env, out: (line: string) => console.log(line), err: (line: string) => console.error(line) }
process.exitCode = await run(process.argv.slice(2), terminal)
setTimeout(() => process.exit(), FLUSH_MS).unref()
