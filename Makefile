# make build   bin/lian, static and reproducible
# make demo    build, then the whole chain on this machine
# make test    everything, with what was skipped and why
# make fuzz    every Fuzz target for FUZZTIME (60s), all within 30 minutes; FUZZ=REGEXP chooses, FUZZPKG is ./...
# make generate  what is generated: assembly, docs/verbs.md

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo development)
GOBUILD = CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags='-s -w -X lian/cli.version=$(VERSION)'

.PHONY: build demo test short fuzz generate clean

build:
	@mkdir -p bin
	$(GOBUILD) -o bin/lian ./cmd/lian

demo: build
	bin/lian demo $(DEMO)

test:
	@bash scripts/test-deps.sh
	go vet ./...
	go run ./house/testsummary -timeout 9m ./...

short:
	go run ./house/testsummary -short ./...

FUZZTIME ?= 60s
FUZZ ?= .
FUZZPKG ?= ./...

fuzz:
	go run ./house/fuzz -time $(FUZZTIME) -match '$(FUZZ)' $(FUZZPKG)

generate:
	go generate ./...

clean:
	rm -rf bin
