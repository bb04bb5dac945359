# Workers of Rouse. `--roles control` wants the site's configuration and the repositories (docker-compose.yml); `--roles host`,
# beside a supervisor, the home and the socket directory of that host's installation, as its user.
FROM node:24.21.0-bookworm-slim AS packages
WORKDIR /opt/rouse
COPY package.json package-lock.json .npmrc ./
# Temporal's core is there for five systems, of which this is one.
RUN npm ci --omit=dev --ignore-scripts \
    && cd node_modules/@temporalio/core-bridge/releases \
    && find . -mindepth 1 -maxdepth 1 -type d ! -name "$(uname -m)-unknown-linux-gnu" -exec rm -r {} +

FROM node:24.21.0-bookworm-slim
# The system's authorities, for a Temporal server elsewhere with `tls: true`; ssh, for sources that are read over it.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates openssl openssh-client \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/rouse rouse \
    && install -d -o rouse -g rouse -m 700 /var/lib/rouse
WORKDIR /opt/rouse
COPY --from=packages /opt/rouse/node_modules node_modules
COPY . .
ENV NODE_ENV=production ROUSE_HOME=/var/lib/rouse XDG_CACHE_HOME=/var/lib/rouse/cache
USER rouse
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["node", "workers/healthy.ts"]
ENTRYPOINT ["node", "workers/main.ts"]
CMD ["--roles", "control"]
