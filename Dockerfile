# The image of zerohop, for linux/amd64 and linux/arm64: docker buildx build --platform linux/amd64,linux/arm64 .
# Nothing is compiled, so both are built by the same steps. The Node in it is the one of the lockfile; the Node of the
# first stage is there for its npm alone.

FROM node:24-bookworm-slim AS build
WORKDIR /opt/zerohop
COPY package.json package-lock.json .npmrc ./
# Formatter and linter are optional packages, for the registry may lack one of their platforms: not dependencies at run time.
RUN npm ci --omit=dev && rm -rf node_modules/@biomejs
# The npm package `node` links its binary from a package of the platform; copied, it would be there twice.
RUN rm -rf node_modules/node/node_modules node_modules/node-linux-* node_modules/.package-lock.json
COPY bin bin
COPY src src
COPY deploy/image deploy/image
RUN node_modules/node/bin/node deploy/image/strip-sources.mjs
# Ends by the signal after it has kept its byte code.
RUN timeout --preserve-status -s TERM 9 bin/zerohop dns -conf deploy/image/Corefile -dns.port 5300 -admin-socket "" \
  && for command in agent status observe relay doctor; do bin/zerohop $command --help > /dev/null || exit 1; done

FROM debian:bookworm-slim
# iptables: the rules of a node cache in the host network, in both flavours. nftables: a doctor reads everybody's rules. The
# others are what Node is linked to.
RUN apt-get update \
  && apt-get install -y --no-install-recommends iptables nftables libatomic1 libgcc-s1 libstdc++6 \
  && rm -rf /var/lib/apt/lists/*
COPY LICENSE /opt/zerohop/LICENSE
COPY --from=build /opt/zerohop/package.json /opt/zerohop/package.json
COPY --from=build /opt/zerohop/bin /opt/zerohop/bin
COPY --from=build /opt/zerohop/src /opt/zerohop/src
COPY --from=build /opt/zerohop/node_modules /opt/zerohop/node_modules
RUN ln -s /opt/zerohop/bin/zerohop /usr/local/bin/zerohop
LABEL org.opencontainers.image.title="zerohop" \
  org.opencontainers.image.description="Answers a Kubernetes pod's DNS query on the pod's own node, and proves it per query" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.version="0.1.0"
# Who needs root says so in the manifest. There is no HEALTHCHECK: Kubernetes has probes of its own.
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/zerohop"]
