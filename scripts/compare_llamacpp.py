#!/usr/bin/env python3
"""Lian's conversions beside llama.cpp's and transformers': same tensors, same metadata, same greedy tokens.

    python3 scripts/compare_llamacpp.py MODEL_FOLDER... [--types f32,f16,bf16] > compare.jsonl

For each model folder and type, Lian writes a GGUF file, and of that a folder again. Checked are
  tensors    names, types, shapes and bytes against convert_hf_to_gguf.py of the same folder and type
  metadata   the architecture's keys against it
  llama.cpp  greedy tokens of Lian's file in llama.cpp, and of the converter's file in Lian, against transformers of the folder
  folder     greedy tokens of Lian's folder in transformers against those of the original
  --quants   greedy tokens of quantised files in llama.cpp against Lian's

Peers are optional; what is absent is told and skipped:
  --llamacpp DIR         llama.cpp's source, with convert_hf_to_gguf.py             ($LLAMACPP)
  --llama-python FILE    a Python with llama-cpp-python                             ($LLAMA_PYTHON)
  --hf-python FILE       a Python with torch and transformers, sentencepiece        ($HF_PYTHON, or this one)
A folder without a tokenizer gets a stand-in vocabulary in the converter's file. One JSON line a check; exit status 1 if one
failed.
"""
import argparse, json, os, pathlib, struct, subprocess, sys, tempfile


def peer(mode, *args):
    """What other interpreters run: this file with a mode."""
    if mode == "available":
        __import__(args[0])
        return True
    if mode == "convert":
        return convert(*args)
    if mode == "compare":
        return compare(*args)
    if mode == "hf":
        return hf_greedy(args[0], json.loads(args[1]), int(args[2]))
    return llama_greedy(args[0], json.loads(args[1]), int(args[2]))


def convert(source, out, kind, folder):
    """convert_hf_to_gguf.py, as a module, so that a folder needs no tokenizer."""
    sys.path[:0] = [source, os.path.join(source, "gguf-py")]
    import conversion, gguf, torch
    from conversion.base import ModelBase, ModelType, get_model_architecture
    folder = pathlib.Path(folder)
    config = ModelBase.load_hparams(folder, False)
    model = conversion.get_model_class(get_model_architecture(config, ModelType.TEXT))
    raw = json.loads((folder / "config.json").read_text())
    raw.setdefault("n_ctx", raw.get("n_positions"))
    if not any((folder / n).exists() for n in ("tokenizer.json", "tokenizer.model", "vocab.json")):
        def stand_in(self):
            n = next(self.hparams[k] for k in ("vocab_size", "n_vocab", "padded_vocab_size") if k in self.hparams)
            w = self.gguf_writer
            w.add_tokenizer_model("gpt2"), w.add_tokenizer_pre("gpt-2")
            w.add_token_list([chr(0x100 + i) if i < 256 else f"token{i}" for i in range(n)])
            w.add_token_types([gguf.TokenType.NORMAL] * n), w.add_token_merges(["a b"])
            w.add_bos_token_id(1), w.add_eos_token_id(2), w.add_add_bos_token(False)
        model = type(model.__name__, (model,), {"set_vocab": stand_in, "model_arch": model.model_arch})
    kinds = {"f32": "ALL_F32", "f16": "MOSTLY_F16", "bf16": "MOSTLY_BF16", "q8_0": "MOSTLY_Q8_0"}
    with torch.inference_mode():
        # Fields that this version of transformers has under other names are added as the file has them.
        model(folder, gguf.LlamaFileType[kinds[kind]], pathlib.Path(out), eager=True, hparams={**raw, **config}).write()
    return True


def compare(source, ours, theirs):
    """Differences of two GGUF files: tensors, and keys of the architecture."""
    sys.path.insert(0, os.path.join(source, "gguf-py"))
    from gguf import GGUFReader
    a, b = GGUFReader(ours), GGUFReader(theirs)
    ta, tb = {t.name: t for t in a.tensors}, {t.name: t for t in b.tensors}
    tensors = [f"{n} missing" for n in tb if n not in ta] + [f"{n} extra" for n in ta if n not in tb]
    for n in ta.keys() & tb.keys():
        x, y = ta[n], tb[n]
        if x.tensor_type != y.tensor_type or list(x.shape) != list(y.shape):
            tensors.append(f"{n}: {x.tensor_type.name} {list(x.shape)}, expected {y.tensor_type.name} {list(y.shape)}")
        elif x.data.tobytes() != y.data.tobytes():
            tensors.append(f"{n}: other bytes")
    value = lambda r, k: (r.fields[k].types[0].name, r.fields[k].contents()) if k in r.fields else None
    arch = b.fields["general.architecture"].contents()
    keys = [k for k in b.fields if k.startswith(arch + ".") or k in ("general.architecture", "general.file_type")]
    return {"tensors": sorted(tensors), "metadata": [f"{k} is {value(a, k)}, expected {value(b, k)}" for k in keys if value(a, k) != value(b, k)]}


def hf_greedy(folder, ids, n):
    import torch
    from transformers import AutoModelForCausalLM
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    out, gaps = list(ids), []
    with torch.inference_mode():
        for _ in range(n):
            top = model(torch.tensor([out])).logits[0, -1].float().topk(2)
            gaps.append((top.values[0] - top.values[1]).item())
            out.append(top.indices[0].item())
    return {"tokens": out[len(ids):], "gaps": gaps}


def llama_greedy(path, ids, n):
    import llama_cpp, llama_cpp.llama as inner, numpy as np
    defaults = inner.llama_cpp.llama_model_default_params

    def plain():  # weights as they are stored: repacked ones need instructions that some virtual machines only claim to have
        params = defaults()
        params.use_extra_bufts = False
        return params
    inner.llama_cpp.llama_model_default_params = plain
    model = llama_cpp.Llama(path, n_ctx=len(ids) + n + 1, logits_all=True, verbose=False, n_threads=1, type_k=0, type_v=0)
    out = list(ids)
    model.eval(out)
    for _ in range(n):
        token = int(np.argmax(model.scores[model.n_tokens - 1]))
        out.append(token)
        model.eval([token])
    return {"tokens": out[len(ids):]}


if __name__ == "__main__" and len(sys.argv) > 2 and sys.argv[1] == "--peer":
    print("\n" + json.dumps(peer(*sys.argv[2:])))
    sys.exit()

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("folders", nargs="+")
p.add_argument("--lian", default="bin/lian")
p.add_argument("--types", default="f32,f16,bf16")
p.add_argument("--quants", default="", help="types of lian quantize too, for models whose rows are whole blocks: greedy tokens of Lian and llama.cpp")
p.add_argument("--tokens", type=int, default=16)
p.add_argument("--llamacpp", default=os.environ.get("LLAMACPP", ""))
p.add_argument("--llama-python", default=os.environ.get("LLAMA_PYTHON", ""))
p.add_argument("--hf-python", default=os.environ.get("HF_PYTHON", sys.executable))
p.add_argument("--keep", help="folder for what is written")
a = p.parse_args()

failed = False


def ask(python, *args):
    r = subprocess.run([python, __file__, "--peer", *map(str, args)], capture_output=True, text=True)
    if r.returncode:
        raise RuntimeError(r.stderr.strip().splitlines()[-1] if r.stderr.strip() else "no answer")
    return json.loads(r.stdout.strip().splitlines()[-1])


def available(python, module):
    try:
        return bool(python) and ask(python, "available", module)
    except (RuntimeError, OSError):
        print(f"{python}: no {module}; its checks are skipped", file=sys.stderr)
        return False


def lian(*args):
    r = subprocess.run([a.lian, *map(str, args)], capture_output=True, text=True)
    if r.returncode:
        raise RuntimeError(r.stderr.strip().splitlines()[-1])
    return [json.loads(line) for line in r.stdout.splitlines() if line.startswith("{")]


def lian_greedy(path, ids, n, file, gaps=None):
    """By lian forward, which needs no tokenizer."""
    out = list(ids)
    for _ in range(n):
        lian("forward", path, "--ids", ",".join(map(str, out)), "--out", file, "--json")
        raw = file.read_bytes()
        size = struct.unpack("<Q", raw[:8])[0]
        info = json.loads(raw[8:8 + size])["logits"]
        vocabulary, end = info["shape"][1], 8 + size + info["data_offsets"][1]
        row = struct.unpack(f"<{vocabulary}f", raw[end - 4 * vocabulary:end])
        second, first = sorted(range(vocabulary), key=row.__getitem__)[-2:]
        out.append(first)
        if gaps is not None:
            gaps.append(row[first] - row[second])
    return out[len(ids):]


def tell(model, check, what=None, **more):
    global failed
    failed |= what is not None and what != "skipped"
    print(json.dumps({"model": model, "check": check, "ok": what is None, **({"what": what} if what else {}), **more}), flush=True)


def same(want, got, least=1e-3):
    """Where tokens part, unless the reference itself was undecided there."""
    if len(got) != len(want["tokens"]):
        return "%d tokens, expected %d" % (len(got), len(want["tokens"]))
    for i, (w, g) in enumerate(zip(want["tokens"], got)):
        if w != g:
            return None if want["gaps"][i] < least else f"token {i} is {g}, expected {w} (first by {want['gaps'][i]:.4f})"
    return None


hf, llama = available(a.hf_python, "transformers"), available(a.llama_python, "llama_cpp")
source = a.llamacpp and os.path.isfile(os.path.join(a.llamacpp, "convert_hf_to_gguf.py"))
if not source:
    print("no source of llama.cpp: its converter's checks are skipped", file=sys.stderr)

with tempfile.TemporaryDirectory() as work:
    work = pathlib.Path(a.keep or work)
    work.mkdir(parents=True, exist_ok=True)
    for folder in map(pathlib.Path, a.folders):
        words = [] if any((folder / n).exists() for n in ("tokenizer.json", "tokenizer.model")) else ["--weights-only"]
        vocabulary = json.loads((folder / "config.json").read_text()).get("vocab_size", 100)
        ids = [(i * 7 + 3) % vocabulary for i in range(8)]
        want = None
        if hf:
            try:
                want = ask(a.hf_python, "hf", folder, json.dumps(ids), a.tokens)
            except RuntimeError as e:
                print(f"{folder}: transformers: {e}", file=sys.stderr)
        for kind in a.types.split(","):
            ours, theirs, back = work / f"{folder.name}-{kind}.gguf", work / f"{folder.name}-{kind}-llamacpp.gguf", work / f"{folder.name}-{kind}"
            name = f"{folder.name} {kind}"
            try:
                report = lian("convert", folder, ours, "--type", kind, "--json", *words)[0]
            except RuntimeError as e:
                tell(name, "convert", str(e))
                continue
            lost = {"lost": report["lost"]} if report.get("lost") else {}
            # Greedy tokens are those of the original where nothing was rounded and nothing lost.
            exact = want and kind == "f32" and not lost
            if source:
                try:
                    ask(a.hf_python, "convert", a.llamacpp, theirs, kind, folder)
                    for check, differences in ask(a.hf_python, "compare", a.llamacpp, ours, theirs).items():
                        tell(name, check, "; ".join(differences[:5]) or None, **lost)
                    if exact:
                        tell(name, "lian of llama.cpp's", same(want, lian_greedy(theirs, ids, a.tokens, work / "logits.safetensors")))
                except RuntimeError as e:
                    print(f"{name}: the converter: {e}", file=sys.stderr)
            if llama and exact:
                try:
                    tell(name, "llama.cpp", same(want, ask(a.llama_python, "llama", ours, json.dumps(ids), a.tokens)["tokens"]))
                except RuntimeError as e:
                    tell(name, "llama.cpp", str(e))
            if want and kind == "f32":
                try:
                    lian("convert", ours, back, "--json", *words)
                    tell(name, "folder", same(want, ask(a.hf_python, "hf", back, json.dumps(ids), a.tokens)["tokens"]) if not lost else "skipped", **lost)
                except RuntimeError as e:
                    tell(name, "folder", str(e))
        for kind in filter(None, a.quants.split(",")):
            name, path, gaps = f"{folder.name} {kind}", work / f"{folder.name}-{kind}.gguf", []
            try:
                lian("quantize", folder, path, "--type", kind, "--json")
                ours = lian_greedy(path, ids, a.tokens, work / "logits.safetensors", gaps)
                if llama:
                    got = ask(a.llama_python, "llama", path, json.dumps(ids), a.tokens)["tokens"]
                    tell(name, "llama.cpp", same({"tokens": ours, "gaps": gaps}, got, least=0.1))
            except RuntimeError as e:
                tell(name, "quantize", str(e))
sys.exit(failed)
