import * as Rollcall from './index.js'

// The bundle is an ES module; pages without modules of their own find everything here.
Object.assign(globalThis, { Rollcall })

export * from './index.js'
