#!/usr/bin/env python3
"""Lian's speed beside llama.cpp's: the same GGUF files, the same tests, in turns, ratios of medians.

    python3 scripts/compare_llamacpp_speed.py MODEL.gguf... [--tests pp512,tg128,tg128@4096,batch8,batch16] [--rounds 3] > speed.jsonl

Tests are those of `lian bench model`. pp and tg are measured against llama-bench, batchN against llama-batched-bench (N sequences after
a prompt of 128 tokens each, 32 tokens unless batchNxT says otherwise; both without sampling). A round is one run of each program for
each test; which of them begins changes from round to round, so that a machine that changes its clock favours nobody. Both may be told
more: --lian-args and --llama-args.

One JSON line a test: the medians, their ratio, the smallest and largest ratio of a round, and the share of the ceiling (memory/read,
peak/…) that `lian bench model` measured in the same run. A table follows on standard error.

--llamacpp DIR is where llama-bench and llama-batched-bench are ($LLAMACPP_BIN).
"""
import argparse, json, os, re, statistics, subprocess, sys

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("models", nargs="+")
p.add_argument("--tests", default="pp512,tg128,batch8,batch16")
p.add_argument("--rounds", type=int, default=3)
p.add_argument("--threads", type=int, default=2)
p.add_argument("--prompt", type=int, default=128, help="cached tokens of each sequence before batchN writes")
p.add_argument("--lian", default="bin/lian")
p.add_argument("--lian-args", default="", help="further arguments of lian bench model")
p.add_argument("--llamacpp", default=os.environ.get("LLAMACPP_BIN", ""))
p.add_argument("--llama-args", default="", help="further arguments of llama-bench")
a = p.parse_args()


def lines(command):
    r = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LD_LIBRARY_PATH": a.llamacpp})
    if r.returncode:
        sys.exit(f"{' '.join(command)}: {r.stderr.strip().splitlines()[-1:] or r.returncode}")
    return [json.loads(x) for x in r.stdout.splitlines() if x.startswith("{")]


def parts(test):
    """What a test measures, how many tokens or sequences, tokens written by each, and after how many."""
    m = re.fullmatch(r"(pp|tg|batch)(\d+)(?:x(\d+))?(?:@(\d+))?", test)
    if not m:
        sys.exit(f"--tests {test}: expected pp512, tg128, batch8 or batch8x32, each with @DEPTH")
    kind, n, each, depth = m[1], int(m[2]), int(m[3] or 32), int(m[4] or (a.prompt if m[1] == "batch" else 0))
    return kind, n, each, depth


def lian(model, test):
    kind, n, each, depth = parts(test)
    name = f"batch{n}x{each}@{depth}" if kind == "batch" else test
    return lines([a.lian, "bench", "model", model, "--tests", name, "--threads", str(a.threads), "--runs", "1", "--json", "-q", *a.lian_args.split()])[0]


def llama(model, test):
    kind, n, each, depth = parts(test)
    if kind == "batch":
        context = n * (depth + each + 32)
        return lines([os.path.join(a.llamacpp, "llama-batched-bench"), "-m", model, "-t", str(a.threads), "-c", str(context), "-npp", str(depth), "-ntg", str(each), "-npl", str(n),
                      "--output-format", "jsonl"])[0]["speed_tg"]
    return lines([os.path.join(a.llamacpp, "llama-bench"), "-m", model, "-t", str(a.threads), "-p", str(n if kind == "pp" else 0), "-n", str(n if kind == "tg" else 0), "-d", str(depth),
                  "-r", "1", "-o", "jsonl", *a.llama_args.split()])[0]["avg_ts"]


table = [("model", "test", "lian", "llama.cpp", "ratio", "of rounds", "share")]
for model in a.models:
    for test in a.tests.split(","):
        ours, theirs, shares, last = [], [], [], {}
        for turn in range(a.rounds):
            for who in ("lian", "llama")[:: 1 if turn % 2 == 0 else -1]:
                if who == "lian":
                    last = lian(model, test)
                    ours.append(last["value"])
                    shares += [last["share"]] if "share" in last else []
                else:
                    theirs.append(llama(model, test))
        rounds = sorted(x / y for x, y in zip(ours, theirs))
        x, y = statistics.median(ours), statistics.median(theirs)
        line = {"bench": "model", "name": test, "model": os.path.basename(model), "lian": round(x, 2), "llamacpp": round(y, 2), "ratio": round(x / y, 3), "least": round(rounds[0], 3),
                "most": round(rounds[-1], 3), "rounds": a.rounds, "threads": a.threads, "kernels": last.get("kernels")}
        if shares:
            line |= {"share": statistics.median(shares), "of": last.get("of")}
        print(json.dumps(line), flush=True)
        table.append((line["model"], test, f"{x:.0f}", f"{y:.0f}", f"{x / y:.2f}", f"{rounds[0]:.2f}-{rounds[-1]:.2f}", f"{100 * line['share']:.0f} % of {line['of']}" if shares else ""))
widths = [max(len(r[i]) for r in table) for i in range(len(table[0]))]
for r in table:
    print("  ".join(c.ljust(w) for c, w in zip(r, widths)).rstrip(), file=sys.stderr)
