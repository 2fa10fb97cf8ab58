#!/usr/bin/env python3
"""Training steps of Lian beside PyTorch's on this machine: the two take turns, ratios are of medians.

    make build && python3 scripts/compare_torch_train.py --bench PATH/bench_train.py [--shapes 15m,135m] [--dtypes f32,bf16] [--rounds 3]

bench_train.py is the peer: transformers' Llama of the same shape, torch.optim.AdamW(fused), the same sequences, a JSON line. It is run eager
and compiled, and the faster counts. --level avx512 holds both to AVX-512 with BF16 but without tile units (LIAN_KERNELS,
ONEDNN_MAX_CPU_ISA), as on Zen 4 and 5. One JSON line for each shape and type: tokens/s of each, their ratio (above 1: Lian is faster),
the peak memory of each, Lian's share of the processor's peak and what its threads bring.
"""
import argparse, json, os, statistics, subprocess, sys

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--bench", required=True, help="the peer's bench_train.py")
p.add_argument("--python", default=sys.executable, help="a Python with torch and transformers")
p.add_argument("--lian", default="bin/lian")
p.add_argument("--shapes", default="15m,135m")
p.add_argument("--dtypes", default="f32,bf16")
p.add_argument("--modes", default="eager,compile")
p.add_argument("--threads", type=int, default=2)
p.add_argument("--rounds", type=int, default=3)
p.add_argument("--runs", type=int, default=3, help="steps of a round")
p.add_argument("--level", default="", help="avx512 leaves tile units out")
p.add_argument("--prefix", default="", help="a command before each of the commands, such as one that waits for a quiet machine")
a = p.parse_args()

env = dict(os.environ)
if a.level:
    env.update(LIAN_KERNELS=a.level, ONEDNN_MAX_CPU_ISA="AVX512_CORE_BF16")


def lines(command):
    text = subprocess.run(a.prefix.split() + command, env=env, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


for shape in a.shapes.split(","):
    for dtype in a.dtypes.split(","):
        ours, theirs = [], {mode: [] for mode in a.modes.split(",")}
        for _ in range(a.rounds):
            for mode in theirs:
                theirs[mode] += lines([a.python, a.bench, "--kind", "pretrain", "--shape", shape, "--dtype", dtype, "--mode", mode, "--threads", str(a.threads), "--steps", str(a.runs)])
            ours.append(lines([a.lian, "bench", "train", "--shape", shape, "--dtype", dtype, "--threads", str(a.threads), "--runs", str(a.runs), "--json"]))
        median = lambda key, runs: statistics.median(r[key] for r in runs)
        mode = max(theirs, key=lambda m: median("tokens_per_s", theirs[m]))
        lian, best = median("value", [o[0] for o in ours]), median("tokens_per_s", theirs[mode])
        memory = median("peak_rss_bytes", [o[0] for o in ours]) / 2**20
        smallest = min(median("peak_rss_steps_mb", t) for t in theirs.values())
        print(json.dumps({"name": f"train/{shape}/{dtype}", "level": a.level or "all", "threads": a.threads, "lian": round(lian, 1), "torch": best, "mode": mode,
                          "torch_modes": {m: median("tokens_per_s", t) for m, t in theirs.items()}, "unit": "tok/s", "ratio": round(lian / best, 3),
                          "lian_peak_mb": round(memory), "torch_peak_mb": smallest, "memory_ratio": round(memory / smallest, 3),
                          "mfu": median("mfu", [o[0] for o in ours]), "scaling": round(median("value", [o[-1] for o in ours]), 3), "rounds": a.rounds}), flush=True)
