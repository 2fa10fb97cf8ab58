#!/usr/bin/env python3
"""Lian's kernels beside PyTorch's on this machine: the two take turns, the ratio is of medians.

    make build && python3 scripts/compare_torch.py --threads 1,2 [--only 'attention'] [--rounds 5] > compare.jsonl

Needs a Python with torch. One JSON line for each kernel and number of threads: name, threads, lian, torch (GFLOP/s of the same
count of operations), ratio, and the spread of the ratios round by round. A ratio above 1 means that Lian is faster.
"""
import argparse, json, re, statistics, subprocess, sys, time

import torch

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--lian", default="bin/lian")
p.add_argument("--threads", default="1,2")
p.add_argument("--only", default="", help="regular expression over names")
p.add_argument("--rounds", type=int, default=5)
p.add_argument("--seconds", type=float, default=0.3, help="time of each measurement")
a = p.parse_args()

SHAPES = [(1024, 1024, 1024), (2048, 2048, 2048)] + [(512, n, k) for n, k in
          [(576, 576), (192, 576), (1536, 576), (576, 1536), (2048, 2048), (256, 2048), (5632, 2048), (2048, 5632)]]
ATTENTION = [(head, length) for head in (64, 128) for length in (512, 2048, 8192)]


def per_second(f):
    """Calls a second."""
    f()
    n, begun = 0, time.perf_counter()
    while n == 0 or time.perf_counter() - begun < a.seconds:
        f()
        n += 1
    return n / (time.perf_counter() - begun)


def cases():
    """Name, billions of operations of one call, and what makes torch's call."""
    for kind, dtype in (("f32", torch.float32), ("bf16", torch.bfloat16)):
        for m, n, k in SHAPES:
            def linear(m=m, n=n, k=k, dtype=dtype):
                x, w = torch.randn(m, k).to(dtype), torch.randn(n, k).to(dtype)
                return lambda: torch.nn.functional.linear(x, w)
            yield f"gemm/{kind}/{m}x{n}x{k}", 2 * m * n * k / 1e9, linear
    for head, length in ATTENTION:
        heads, kv = 2048 // head // 2, 2048 // head // 4  # as lian bench compute has them
        pairs = heads * length * (length + 1) / 2
        for backward in (False, True):
            def attention(head=head, length=length, heads=heads, kv=kv, backward=backward):
                q = torch.randn(1, heads, length, head, requires_grad=backward)
                k, v = (torch.randn(1, kv, length, head, requires_grad=backward) for _ in "kv")
                def forward():
                    return torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
                if not backward:
                    return forward
                out = forward()
                d = torch.randn_like(out)
                return lambda: torch.autograd.grad(out, (q, k, v), d, retain_graph=True)
            yield f"attention{'_backward' if backward else ''}/{head}/{length}", (10 if backward else 4) * pairs * head / 1e9, attention


for threads in map(int, a.threads.split(",")):
    torch.set_num_threads(threads)
    for name, amount, make in cases():
        if not re.search(a.only, name):
            continue
        theirs, ours, torch_call = [], [], make()
        for _ in range(a.rounds):
            theirs.append(amount * per_second(torch_call))
            line = subprocess.run([a.lian, "bench", "compute", "--only", f"^{name}$", "--threads", str(threads), "--runs", "1", "--seconds", str(a.seconds), "--json"],
                                  check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
            ours.append(json.loads(line)["value"])
        ratios = sorted(o / t for o, t in zip(ours, theirs))
        print(json.dumps({"name": name, "threads": threads, "lian": round(statistics.median(ours), 1), "torch": round(statistics.median(theirs), 1), "unit": "GFLOP/s",
                          "ratio": round(statistics.median(ours) / statistics.median(theirs), 3), "ratios": [round(ratios[0], 3), round(ratios[-1], 3)], "rounds": a.rounds,
                          "torch_version": torch.__version__}), flush=True)
sys.stdout.flush()
