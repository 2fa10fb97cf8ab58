#!/usr/bin/env python3
"""PyTorch trains the model of a `lian pretrain` run for so much time: the same first weights, tokens, batch, rule and schedule.

    python3 scripts/compare_torch_pretrain.py --run RUN --seconds 3600 --out OUT
    lian pretrain RUN/shards --from OUT --train.steps 1 --train.lr 1e-12 --out CHECK      # held-out bits per byte, as Lian measures its own

RUN is the run's folder; --first is a copy of its state/00000000, the weights that it began with, if that is gone. The program measures a few
steps, eager and compiled, takes the faster, and lets the cosine schedule end when the time does. --optimizer muon is torch.optim.Muon for
matrices beside AdamW for the rest, as Lian's default is; adamw is AdamW for all. Rows are cut from documents in a new order each epoch; documents of a row
see each other, as is usual there.
One JSON line at the end; OUT opens with transformers and with Lian.
"""
import argparse, json, math, os, resource, shutil, statistics, struct, sys, time

import numpy as np

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--run", required=True)
p.add_argument("--out", required=True)
p.add_argument("--first", default="")
p.add_argument("--seconds", type=float, default=3600)
p.add_argument("--optimizer", default="muon", choices=["muon", "adamw"])
p.add_argument("--lr", type=float, default=0, help="0 takes the run's")
p.add_argument("--dtype", default="bf16", choices=["f32", "bf16"])
p.add_argument("--threads", type=int, default=os.cpu_count())
p.add_argument("--micro-tokens", type=int, default=0, help="tokens of a forward and backward; 0 tries 2048 and the whole step")
p.add_argument("--modes", default="eager,compile")
a = p.parse_args()

import torch
from transformers import LlamaForCausalLM

torch.set_num_threads(a.threads)
torch.manual_seed(0)
with open(os.path.join(a.run, "training.json")) as f:
    options = json.load(f)["options"]
train, step_tokens, context = options["Train"], options["StepTokens"], options["Model"]["Context"]
rate, warmup, final = a.lr or train["Schedule"]["LearningRate"], train["Schedule"]["Warmup"], train["Schedule"]["FinalRate"]


def documents(path):
    """The tokens of a shard and where its documents end (docs/format/shard.md)."""
    with open(path, "rb") as f:
        head = f.read(64)
        size, = struct.unpack_from("<I", head, 12)
        count, tokens, index = struct.unpack_from("<QQQ", head, 16)
        ids = np.frombuffer(f.read(tokens * size), dtype={2: "<u2", 4: "<u4"}[size])
        f.seek(index)
        return ids, np.frombuffer(f.read(count * 8), dtype="<u8").astype(np.int64)


def rows(ids, ends):
    """Rows of one context: the documents of an epoch in a new order, cut where a row ends."""
    starts, order, left = np.concatenate([[0], ends[:-1]]), np.random.default_rng(1), np.empty(0, ids.dtype)
    while True:
        for at in np.array_split(order.permutation(len(ends)), max(1, len(ends) // 4096)):
            left = np.concatenate([left] + [ids[starts[d]:ends[d]] for d in at])
            whole = len(left) // context
            yield from left[:whole * context].reshape(whole, context).astype(np.int64)
            left = left[whole * context:]


source = rows(*documents(os.path.join(a.run, "shards", "train.shard")))


class Run:
    def __init__(self, mode, micro):
        self.model = LlamaForCausalLM.from_pretrained(a.first or os.path.join(a.run, "state", "00000000"), dtype=torch.float32, attn_implementation="sdpa")
        self.model.config.use_cache = False
        self.model.train()
        self.forward = torch.compile(self.model) if mode == "compile" else self.model
        self.mode, self.micro = mode, max(1, micro // context)
        named = list(self.model.named_parameters())
        matrices = [q for name, q in named if q.dim() == 2 and "embed" not in name and "lm_head" not in name]
        rest = [q for name, q in named if all(q is not m for m in matrices)]
        betas = (train["Optimizer"]["Beta1"], train["Optimizer"]["Beta2"])
        decay = train["Optimizer"]["Decay"]
        self.all, self.rules = [q for _, q in named], [torch.optim.AdamW(rest, lr=rate, betas=betas, weight_decay=0, fused=True)]
        if a.optimizer == "muon":
            self.rules.append(torch.optim.Muon(matrices, lr=rate, weight_decay=decay, momentum=train["Optimizer"]["Momentum"], adjust_lr_fn="match_rms_adamw"))
        else:
            self.rules.append(torch.optim.AdamW(matrices, lr=rate, betas=betas, weight_decay=decay, fused=True))

    def step(self, lr):
        batch = torch.from_numpy(np.stack([next(source) for _ in range(step_tokens // context)]))
        total = 0.0
        for part in batch.split(self.micro):
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=a.dtype == "bf16"):
                loss = self.forward(input_ids=part, labels=part).loss
            (loss * (len(part) / len(batch))).backward()
            total += float(loss.detach()) * len(part) / len(batch)
        torch.nn.utils.clip_grad_norm_(self.all, train["Optimizer"]["ClipNorm"] or math.inf)
        for rule in self.rules:
            for group in rule.param_groups:
                group["lr"] = lr
            rule.step()
            rule.zero_grad(set_to_none=True)
        return total


def measured(mode, micro):
    """Tokens per second of a few steps; the run that is measured is thrown away."""
    run, times = Run(mode, micro), []
    for i in range(8):
        t = time.perf_counter()
        run.step(rate * 0.01)
        times.append(time.perf_counter() - t)
    speed = step_tokens / statistics.median(times[3:])
    print(f"{mode}, {micro} tokens at a time: {speed:.0f} tokens/s", file=sys.stderr, flush=True)
    return speed


tries = [(mode, micro) for mode in a.modes.split(",") for micro in ([a.micro_tokens] if a.micro_tokens else [2048, step_tokens])]
speed, mode, micro = max((measured(*t), *t) for t in tries)
run = Run(mode, micro)
run.step(0)  # compiles
steps, begun, done, loss = int(a.seconds * speed / step_tokens), time.perf_counter(), 0, math.nan
while done < steps:
    passed = time.perf_counter() - begun
    if done >= 200 and done % 200 == 0:  # the schedule ends with the time: what is left follows from the speed so far
        steps = done + max(1, int((a.seconds - passed) * done / passed))
    at = (done + 1) / steps
    lr = rate * at / warmup if at < warmup else rate * (final + (1 - final) * (1 + math.cos(math.pi * (at - warmup) / (1 - warmup))) / 2)
    loss = run.step(lr)
    done += 1
    if done % 50 == 0:
        print(f"{done}/{steps} steps  loss {loss:.3f}  tokens/s {done * step_tokens / (time.perf_counter() - begun):.0f}", file=sys.stderr, flush=True)
    if passed > a.seconds:
        break
seconds = time.perf_counter() - begun
run.model.save_pretrained(a.out)
shutil.copy(os.path.join(a.run, "shards", "tokenizer.json"), a.out)
print(json.dumps({"optimizer": a.optimizer, "dtype": a.dtype, "mode": mode, "micro_tokens": micro, "lr": rate, "steps": done, "tokens": done * step_tokens, "seconds": round(seconds, 1),
                  "tokens_per_s": round(done * step_tokens / seconds, 1), "last_loss": round(loss, 4), "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, "torch": torch.__version__}))
