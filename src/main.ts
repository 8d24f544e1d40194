import { readConfig, runNode } from './run-node.js'

/** One node as a process, told what to do by its environment. */
const config = readConfig(process.env)
// Whatever is still open when it has ended is not worth waiting for.
process.exit(config === null ? 1 : await runNode(config))
