import { beforeAll } from '@jest/globals'

import { RedisServer } from '../support/redis.js'
import { useFileScope } from '../support/scope.js'
import { spawnWorkers, type SpawnedNode } from '../support/spawned.js'
import { wireSuite } from '../support/wire-suite.js'

const scope = useFileScope()
let port: SpawnedNode

beforeAll(async () => {
  const redis = await RedisServer.start(scope)
  port = await spawnWorkers(scope, { REDIS_URL: redis.url }, 2)
}, 150_000)

wireSuite('behind the one port of `rollcall start --workers 2`', () => [port, port])
