# docker build -t fluxgate .
# docker run -p 8080:8080 -v "$(pwd)/fluxgate.yaml:/app/fluxgate.yaml" fluxgate
#
# The image holds Node, the libraries that it links, the compiled program and its two packages: no shell, no npm, nothing
# to update. It runs as a user without rights (so the mounted file must be readable by others) and writes nothing
# but its standard output: `docker run --read-only` is fine.

# Any image with npm, glibc 2.28 or later, libstdc++ and libatomic will do.
ARG BUILDER=node:26-bookworm-slim
FROM ${BUILDER} AS build
WORKDIR /app
COPY .npmrc package.json package-lock.json ./
RUN npm ci
COPY . .
RUN npm run build

# The Node that ships is the one of package-lock.json, which the tests ran on, not the one that happens to be in the base image.
RUN set -eu; \
    node="$(readlink -f node_modules/.bin/node)"; \
    mkdir -p /image/usr/local/bin /image/etc /image/app; \
    cp "$node" /image/usr/local/bin/node; \
    ldd "$node" | grep -o '/[^ )]*' | xargs cp --parents --dereference --target-directory=/image; \
    echo 'fluxgate:x:65532:65532::/app:/' >/image/etc/passwd; \
    echo 'fluxgate:x:65532:' >/image/etc/group; \
    echo 'hosts: files dns' >/image/etc/nsswitch.conf; \
    cp "$(dirname "$node")/../LICENSE" /image/app/LICENSE-NODE; \
    npm ci --omit=dev --omit=optional; \
    rm -rf node_modules/.cache node_modules/.bin; \
    cp -r LICENSE THIRD-PARTY-NOTICES package.json dist node_modules /image/app/; \
    mkdir /image/app/config; \
    cp config/prices.json /image/app/config/; \
    chmod -R a+rX /image

FROM scratch
LABEL org.opencontainers.image.title="Fluxgate" org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image/ /
WORKDIR /app
# As bin/fluxgate starts Node (docs/decisions/0019).
ENV NODE_ENV=production UV_THREADPOOL_SIZE=32 MALLOC_ARENA_MAX=1
USER 65532:65532
EXPOSE 8080
# It asks the operations door (`admin` of the configuration at /app/fluxgate.yaml); without such a door, start with --no-healthcheck.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=2 CMD ["/usr/local/bin/node", "/app/dist/main.js", "health"]
ENTRYPOINT ["/usr/local/bin/node", "--disable-sigusr1", "--use-system-ca", "--max-semi-space-size=2", "--v8-pool-size=1", "/app/dist/main.js"]
# With a mistake in the file the container ends and says why. Other arguments take the place of this one: `check`, `demo`, `--config`.
CMD ["--require-configuration"]
