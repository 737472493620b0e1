# One command per habit. `make test` passes all tests and installs what they need.

GO       ?= go
LINT      = $(GO) tool -modfile=tools/go.mod golangci-lint
# Executions per fuzz target. Given as a duration, go test may fail when it runs out.
FUZZTIME ?= 4000x
# Networks to be simulated: all, or those that match a regular expression.
LOSSES   ?= all

.PHONY: build demo test bench losses fmt clean vuln \
	check-format check-vet check-lint test-go cross fuzz \
	coturn page-deps check-page lint-page test-page browser test-browser

build: ## the server, as ./galene, and its administration, as ./galenectl/galenectl
	$(GO) build -trimpath -o galene .
	$(GO) build -trimpath -o galenectl/ ./galenectl

demo: ## a server to try out, at https://localhost:8443/
	$(GO) run . -demo

test: check-format check-vet check-lint test-go fuzz \
	check-page lint-page test-page test-browser ## everything
	@echo "make test: all passed"

## Go

check-format:
	@echo "== formatting (gofumpt, gci)"
	@out="$$($(LINT) fmt --diff)"; if [ -n "$$out" ]; then echo "$$out"; echo "run 'make fmt'"; exit 1; fi

check-vet:
	@echo "== go vet"
	$(GO) vet ./...

check-lint:
	@echo "== golangci-lint"
	$(LINT) run ./...

coturn: ## coturn's client, for tests of the TURN server
	@sh tools/coturn.sh

test-go: coturn
	@echo "== go test with the race detector"
	$(GO) test -race -shuffle=on ./...

cross: ## it builds for other systems
	@echo "== builds for other systems"
	@for target in linux/arm64 darwin/arm64 windows/amd64 freebsd/amd64; do \
		echo "$$target"; \
		GOOS=$${target%/*} GOARCH=$${target#*/} CGO_ENABLED=0 $(GO) build -o /dev/null . || exit 1; \
		GOOS=$${target%/*} GOARCH=$${target#*/} CGO_ENABLED=0 $(GO) build -o /dev/null ./galenectl || exit 1; \
	done

fuzz:
	@echo "== each fuzz target, $(FUZZTIME)"
	@GO="$(GO)" FUZZTIME="$(FUZZTIME)" sh tools/fuzz.sh

## The page

page-deps: node_modules/.package-lock.json

node_modules/.package-lock.json: package.json package-lock.json
	@command -v npm >/dev/null || { echo "The page's checks need Node.js 20 or newer with npm: install them first." >&2; exit 1; }
	npm ci --no-audit --no-fund
	@touch $@

check-page: page-deps
	@echo "== tsc"
	npm run --silent check

lint-page: page-deps
	@echo "== eslint, prettier, stylelint, html-validate"
	npm run --silent lint

test-page: page-deps
	@echo "== node unit tests"
	npm run --silent test

browser:
	@sh tools/chromium.sh

test-browser: page-deps browser build
	@echo "== browser tests"
	npm run --silent e2e

## Habits

fmt: page-deps ## format everything
	$(LINT) fmt
	npm run --silent format

bench: ## what it costs, beside the limit (BENCHMARKS.md); BENCHFLAGS='-short' for a quick look
	$(GO) run ./internal/bench $(BENCHFLAGS)

losses: ## frames that get through bad networks, as a table in Markdown; LOSSES='^5 %.*100 ms' is a part of it
	GALENE_LOSSES="$(LOSSES)" $(GO) test -count=1 -timeout=60m -run=TestFramesGetThroughBadNetworks ./internal/losses

vuln: ## known vulnerabilities in what we depend on; needs its database
	$(GO) run golang.org/x/vuln/cmd/govulncheck@latest ./...

clean:
	rm -rf galene galenectl/galenectl node_modules e2e/output
