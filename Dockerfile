# A gateway in a container: docker build -t linecard . && docker run -p 8080:8080 -v linecard:/data linecard
# See docs/deployment.md. Node 22 and glibc are what uWebSockets.js has binaries for; Alpine is not.

FROM node:22-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Node comes with the image, so not as a package. Of the native modules one file each is for this machine, and
# the last line sees that both load.
RUN npm ci --omit=dev --omit=optional \
 && arch="$(node -p process.arch)" \
 && find node_modules/uWebSockets.js/dist/bin -type f ! -name "uws_linux_${arch}_127.node" -delete \
 && find node_modules/better-sqlite3/prebuilds -type f ! -name "linux-${arch}.node" -delete \
 && rm -r node_modules/better-sqlite3/deps node_modules/better-sqlite3/src \
 && node --input-type=module -e 'await import("uWebSockets.js"); (await import("better-sqlite3")).default(":memory:")'
COPY src src

FROM node:22-bookworm-slim
ENV NODE_ENV=production HOST=0.0.0.0 DATABASE_PATH=/data/linecard.db
WORKDIR /app
COPY --from=build /app ./
RUN mkdir -m 700 /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 8080}/livez`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# Drains; a second one ends at once. Give it more time than calls last: docker stop -t.
STOPSIGNAL SIGTERM
CMD ["node", "--v8-pool-size=2", "--max-semi-space-size=2", "--no-parallel-scavenge", "src/main.ts"]
