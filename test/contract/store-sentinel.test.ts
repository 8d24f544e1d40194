import { everySuite } from './every-suite.js'
import { sentinelRedis } from './setups.js'

everySuite(sentinelRedis)
