# The node as an image: built in one stage, run in another that has neither compiler nor sources.
FROM node:20-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --include=dev --no-fund --no-audit
COPY tsconfig.json tsconfig.build.json ./
COPY scripts scripts
COPY src src
RUN npm run build && npm prune --omit=dev --no-fund --no-audit

FROM node:20-bookworm-slim
# Production refuses to start without ROLLCALL_SECRET: an image that is run just like that is not open to everybody.
ENV NODE_ENV=production
WORKDIR /app
# Owned by root: the process cannot change its own code.
COPY deploy/healthcheck.mjs ./
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
USER node
EXPOSE 3000
# Alive, not ready: a node that is draining, or waits for its Redis, is no reason to restart it.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["node", "healthcheck.mjs", "/livez"]
CMD ["node", "--enable-source-maps", "dist/main.js"]
