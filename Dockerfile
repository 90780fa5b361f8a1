# The headless gateway, with Google's and AWS's credentials. Give it a volume for its home, and a master key and a vault passphrase
# from the outside:
#   docker build -t conduit-desktop .
#   docker run -p 5000:5000 -v conduit:/home/conduit/data -e CONDUIT_MASTER_KEY -e CONDUIT_VAULT_KEY --name conduit conduit-desktop
# Its log shows the host names that it accepts. Other containers, which call it by another name, are refused until you add that:
#   docker exec conduit conduit-desktop settings set allowed_hosts '["gateway"]'
# `make image-steps` runs these steps without Docker, on the same base packages, and checks the result.
FROM debian:12-slim

# Unlike Python's own images this one has no certificates of the authorities that providers use.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /src
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY conduit_desktop conduit_desktop
COPY resources resources
# The lock's versions as constraints: a server needs a small part of them. Constraints cannot have hashes for what is then
# built here, nor extras (`google-auth[requests]==…`), so both are cut off. The build backend is pinned by them, too.
RUN sed -e '/--hash=/d' -e 's/ *\\$//' -e 's/^\([A-Za-z0-9._-]*\)\[[^]]*\]/\1/' requirements.lock > /tmp/versions.txt \
    && python3 -m venv /opt/conduit \
    && /opt/conduit/bin/pip install --no-cache-dir -c /tmp/versions.txt hatchling \
    && /opt/conduit/bin/pip install --no-cache-dir -c /tmp/versions.txt --no-build-isolation '.[speed,aws,google]' \
    && rm /tmp/versions.txt \
    && ln -s /opt/conduit/bin/conduit-desktop /usr/local/bin/ \
    && useradd --create-home conduit \
    && install -d -o conduit -g conduit -m 700 /home/conduit/data

USER conduit
WORKDIR /home/conduit
ENV CONDUIT_HOME=/home/conduit/data CONDUIT_HOST=0.0.0.0 CONDUIT_SECRETS=vault
EXPOSE 5000
HEALTHCHECK --start-period=10s CMD ["conduit-desktop", "healthcheck"]
ENTRYPOINT ["conduit-desktop", "serve"]
