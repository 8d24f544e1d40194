import { metadataSuite } from './metadata-suite.js'
import { sentinelRedis } from './setups.js'
import { storeSuite } from './store-suite.js'

storeSuite(sentinelRedis)
metadataSuite(sentinelRedis)
