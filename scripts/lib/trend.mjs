/**
 * The straight line through these points by least squares: its slope, and the slope's standard error.
 *
 * @param {readonly (readonly [number, number])[]} points at least three, with differing x
 */
export function trend(points) {
  const n = points.length
  if (n < 3) return { slope: NaN, error: NaN }
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / n
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / n
  const spread = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0)
  const slope = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0) / spread
  const rest = points.reduce((sum, [x, y]) => sum + (y - meanY - slope * (x - meanX)) ** 2, 0)
  return { slope, error: Math.sqrt(rest / (n - 2) / spread) }
}
