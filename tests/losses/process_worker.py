"""Two processes, then four: each finds losses and gradients on its share of a batch, and holds them against the whole.

    python process_worker.py FOLDER

What each found goes to FOLDER/PROCESSES.RANK.json, ``{name: numbers or text}``; test_across_processes.py starts
this and asserts.
"""

import importlib
import json
import multiprocessing
import sys
from datetime import timedelta
from pathlib import Path

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel

from affectspace import losses
from affectspace.losses.across_processes import AcrossProcesses, gather_rows
from affectspace.losses.cached_gradients import cached_backward


def supervised_contrastive(embeddings: Tensor, targets: Tensor) -> Tensor:
    z = nn.functional.normalize(embeddings, dim=-1)
    alone = torch.eye(len(z), dtype=torch.bool)
    logits = (z @ z.T / 0.2).masked_fill(alone, float("-inf"))
    same = (targets[:, None] == targets) & ~alone
    log_p = (logits - logits.logsumexp(-1, keepdim=True)).masked_fill(~same, 0)
    return -(log_p.sum(-1) / same.sum(-1).clamp(min=1)).mean()


def columns_together(embeddings: Tensor, targets: Tensor, *, speaker: Tensor, levels: Tensor, known: Tensor) -> Tensor:
    """Items are drawn together that share class and not speaker, by how near their levels are; unknown ones are not."""
    pairs = (targets[:, None] == targets) & (speaker[:, None] != speaker) & known & known[:, None]
    weight = torch.exp(-torch.cdist(levels, levels)) * pairs
    return (weight * torch.cdist(embeddings, embeddings).square()).sum() / weight.sum()


class SpeakerHead(nn.Module):
    """A loss with parameters of its own."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(5, 3)

    def forward(self, embeddings: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.cross_entropy(self.head(embeddings), targets)


# Name, what makes the loss, the label columns that it takes by position and by name.
STEPS = (torch.arange(5)[:, None] - torch.arange(5)).abs() / 4
LOSSES = [
    ("cross_entropy", losses.SoftCrossEntropyLoss, ("soft",), ()),
    ("f_similarity", lambda: losses.InBatchFSimilarityLoss("kl", "fisher_rao"), ("soft",), ()),
    ("f_similarity hard", lambda: losses.InBatchFSimilarityLoss("pearson"), ("hard",), ()),
    ("supervised_contrastive", losses.SupervisedContrastiveLoss, ("hard",), ()),
    ("supervised_contrastive graded", lambda: losses.SupervisedContrastiveLoss(0.2, "chord"), ("soft",), ()),
    ("across groups", lambda: losses.SupervisedContrastiveLoss(across_groups=2.0), ("hard",), ("groups",)),
    ("triplet", losses.TripletLoss, ("hard",), ()),
    ("triplet soft", lambda: losses.TripletLoss(form="soft_margin"), ("hard",), ()),
    ("triplet semi-hard", lambda: losses.TripletLoss(1.0, triplets="semi_hard"), ("hard",), ()),
    ("triplet hard", lambda: losses.TripletLoss(triplets="hard"), ("hard",), ()),
    ("contrastive_pairs", losses.ContrastivePairsLoss, ("hard",), ()),
    ("gaussian_manifold", losses.GaussianManifoldLoss, ("soft",), ()),
    ("gaussian_manifold left out", lambda: losses.GaussianManifoldLoss(means="leave_one_out"), ("soft",), ()),
    ("ordered_emd", losses.OrderedEMDLoss, ("soft",), ()),
    ("level_regression", losses.LevelRegressionLoss, ("soft",), ()),
    ("guided_emd", lambda: losses.GuidedEMDLoss(5, ground_distance=STEPS), ("soft",), ()),
    ("entropic_emd", lambda: losses.EntropicEMDLoss(STEPS, 0.5), ("soft",), ()),
    ("mmd", losses.MMDLoss, ("view",), ()),
    ("hsic", lambda: losses.HSICLoss("labels"), ("speaker",), ()),
    ("matching", losses.CrossModalMatchingLoss, ("view",), ("groups",)),
    ("matching hsic", lambda: losses.CrossModalMatchingLoss("hsic"), ("view",), ()),
    ("adversary", lambda: losses.AdversaryLoss(5, 3, hidden=4), ("speaker",), ()),
    ("linear_adversary", lambda: losses.LinearAdversaryLoss(5, 3), ("speaker",), ()),
    ("linear_adversary given", lambda: losses.LinearAdversaryLoss(5, 3, target_classes=3), ("speaker", "hard"), ()),
    ("reconstruction", losses.ReconstructionLoss, ("view", "known"), ()),
    ("pseudo_labels", lambda: losses.PseudoLabelLoss(0.3), ("view",), ()),
    ("consistency", losses.ConsistencyLoss, ("view",), ()),
    ("by hand", lambda: supervised_contrastive, ("hard",), ()),
    ("several columns", lambda: columns_together, ("hard",), ("speaker", "levels", "known")),
    ("parameters of its own", SpeakerHead, ("speaker",), ()),
]

SHARES = {2: (9, 4), 4: (5, 0, 2, 6)}  # items of each process
ITEMS = 13


def whole_batch(dtype: torch.dtype) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    soft = torch.rand(ITEMS, 5, generator=generator, dtype=torch.double) ** 2 + 0.01
    return {
        "x": torch.randn(ITEMS, 6, generator=generator, dtype=torch.double).to(dtype),
        "soft": (soft / soft.sum(-1, keepdim=True)).to(dtype),
        "hard": torch.randint(3, (ITEMS,), generator=generator),
        "speaker": torch.randint(3, (ITEMS,), generator=generator),
        "levels": torch.rand(ITEMS, 3, generator=generator, dtype=torch.double).to(dtype),
        "groups": torch.arange(ITEMS) % 2,
        "view": torch.randn(ITEMS, 5, generator=generator, dtype=torch.double).to(dtype),
        "known": torch.rand(ITEMS, generator=generator) < 0.8,
    }


def make_encoder(dtype: torch.dtype) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 5), nn.Softplus()).to(dtype)


def make_loss(factory, dtype: torch.dtype):
    torch.manual_seed(2)
    loss = factory()
    return loss.to(dtype) if isinstance(loss, nn.Module) else loss


def gradients(*modules) -> list[Tensor]:
    parameters = [p for m in modules if isinstance(m, nn.Module) for p in m.parameters()]
    return [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in parameters]


def error(found: list[Tensor], truth: list[Tensor]) -> float:
    """The largest difference, as a share of the largest number of the truth where that is above one."""
    assert len(found) == len(truth)
    assert all(a.dtype == b.dtype for a, b in zip(found, truth))
    scale = max(1.0, max(each.abs().max().item() for each in truth))
    return max((a - b).abs().max().item() for a, b in zip(found, truth)) / scale


class Process:
    def __init__(self, rank: int, processes: int):
        start = sum(SHARES[processes][:rank])
        self.rank, self.processes = rank, processes
        self.share = slice(start, start + SHARES[processes][rank])

    def own(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: column[self.share] for name, column in batch.items()}

    def summed(self, modules) -> list[Tensor]:
        found = gradients(*modules)
        for each in found:
            dist.all_reduce(each)
        return found

    def against_the_whole(self, factory, positions, names, dtype) -> dict[str, float]:
        """Errors of value and gradients where they are averaged (DDP) and where they are summed by hand."""

        def apply(loss, encoder, batch):
            value = loss(encoder(batch["x"]), *(batch[n] for n in positions), **{n: batch[n] for n in names})
            value.backward()
            return value.detach()

        batch = whole_batch(dtype)
        encoder, loss = make_encoder(dtype), make_loss(factory, dtype)
        value = apply(loss, encoder, batch)
        truth = [value, *gradients(encoder, loss)]

        encoder, loss = make_encoder(dtype), make_loss(factory, dtype)
        wrapped, net = AcrossProcesses(loss), DistributedDataParallel(encoder)
        if any(True for _ in wrapped.parameters()):
            wrapped = DistributedDataParallel(wrapped)
        value = apply(wrapped, net, self.own(batch))
        averaged = error([value, *gradients(encoder, loss)], truth)

        encoder, loss = make_encoder(dtype), make_loss(factory, dtype)
        value = apply(AcrossProcesses(loss, average_gradients=False), encoder, self.own(batch))
        # the loss's own parameters have the whole gradient on every process already
        summed = error([value, *self.summed([encoder]), *gradients(loss)], truth)
        return {"averaged": averaged, "summed": summed}

    def naive(self) -> dict[str, float]:
        """How far the gradients of two common ways are from the truth, under DDP, on even shares."""
        batch = {name: column[:12] for name, column in whole_batch(torch.double).items()}
        each = 12 // self.processes
        own = {name: column[self.rank * each : (self.rank + 1) * each] for name, column in batch.items()}
        encoder = make_encoder(torch.double)
        supervised_contrastive(encoder(batch["x"]), batch["hard"]).backward()
        truth = gradients(encoder)

        def found(loss) -> list[Tensor]:
            encoder = make_encoder(torch.double)
            net = DistributedDataParallel(encoder)  # by name, since one that nobody holds exchanges nothing
            loss(net(own["x"]), own["hard"]).backward()
            return gradients(encoder)

        ours, local = found(AcrossProcesses(supervised_contrastive)), found(supervised_contrastive)
        without = found(AcrossProcesses(supervised_contrastive, average_gradients=False))
        ratio = torch.cat([g.flatten() for g in without]) / torch.cat([g.flatten() for g in truth])
        largest = max(each.abs().max() for each in truth)
        return {
            "ours": error(ours, truth),
            "local": error(*([each / largest for each in some] for some in (local, truth))),
            "lost factor": [ratio.min().item(), ratio.max().item()],
        }

    def types(self) -> dict[str, bool]:
        """Whether tensors of every type come back whole, in order, from uneven shares."""
        generator = torch.Generator().manual_seed(3)
        types = (torch.bfloat16, torch.float16, torch.float64, torch.int64, torch.int16, torch.bool, torch.complex64)
        whole = [
            (torch.randn(ITEMS, *shape, generator=generator) * 50).to(dtype)
            for dtype in types
            for shape in ((), (3,), (2, 2), (0,))
        ]
        back = gather_rows(*(each[self.share] for each in whole))
        right = [torch.equal(a, b) and a.dtype == b.dtype for a, b in zip(back, whole)]
        transposed = whole[2].transpose(0, 1).contiguous().transpose(0, 1)  # not contiguous
        nothing = gather_rows(torch.zeros(0, 4), torch.zeros(0, dtype=torch.long))
        return {
            "all": len(right) == len(whole) and all(right),
            "strided": torch.equal(gather_rows(transposed[self.share])[0], whole[2]),
            "no rows": [list(each.shape) for each in nothing] == [[0, 4], [0]],
            "no tensors": gather_rows() == (),
        }

    def own_gradient(self) -> dict[str, bool]:
        x = torch.randn(self.rank + 1, 2, dtype=torch.bfloat16, requires_grad=True)
        fixed = torch.randn(self.rank + 1, 2)
        y, still = gather_rows(x, fixed)
        weights = torch.arange(y.numel()).view_as(y)
        (y * weights).sum().backward()
        before = self.rank * (self.rank + 1) // 2
        expected = self.processes * weights[before : before + len(x)]
        assert x.grad is not None
        return {
            "slice": torch.equal(x.grad, expected.to(torch.bfloat16)) and x.grad.dtype == torch.bfloat16,
            "fixed": not still.requires_grad,
        }

    def shared_reference(self) -> dict[str, float]:
        """A memory bank is the same on all processes; another modality has rows of its own on each."""
        batch, bank = whole_batch(torch.double), torch.rand(7, 5, generator=torch.Generator().manual_seed(4)).double()
        labels = torch.eye(5).double()[[0, 1, 2, 3, 4, 0, 1]]
        own, loss = self.own(batch), losses.InBatchFSimilarityLoss("kl", "angle")

        encoder = make_encoder(torch.double)
        value = loss(encoder(batch["x"]), batch["soft"], bank, labels)
        value.backward()
        truth = [value.detach(), *gradients(encoder)]
        encoder = make_encoder(torch.double)
        shared = AcrossProcesses(loss, shared=("reference", "reference_targets"))
        net = DistributedDataParallel(encoder)
        value = shared(net(own["x"]), own["soft"], bank, reference_targets=labels)
        value.backward()
        result = {"bank": error([value.detach(), *gradients(encoder)], truth)}

        counts = [k + 1 for k in range(self.processes)]
        modality = torch.rand(sum(counts), 5, generator=torch.Generator().manual_seed(5)).double()
        others = modality.split(counts)[self.rank].clone().requires_grad_()
        modality.requires_grad_()
        more = torch.eye(5).double()[torch.arange(len(modality)) % 5]
        expected = loss(batch["x"].abs()[:, :5], batch["soft"], modality, more)
        expected.backward()
        value = AcrossProcesses(loss)(own["x"].abs()[:, :5], own["soft"], others, more.split(counts)[self.rank])
        value.backward()
        assert modality.grad is not None
        assert others.grad is not None
        truth = [expected.detach(), modality.grad.split(counts)[self.rank] * self.processes]
        return result | {"modality": error([value.detach(), others.grad], truth)}

    def errors(self) -> dict[str, str]:
        first = self.rank == 0
        z, y = torch.rand(3, 4), torch.zeros(3, dtype=torch.long)
        cases = {
            "types": lambda: gather_rows(z.double() if first else z, y),
            "shapes": lambda: gather_rows(z[:, :2] if first else z, y),
            "count": lambda: gather_rows(z) if first else gather_rows(z, y),
            "none": lambda: gather_rows() if first else gather_rows(z),
            "no rows": lambda: gather_rows(torch.tensor(1.0)),
            "unlike rows": lambda: gather_rows(z, y[:2] if first else y),
            "misaligned": lambda: AcrossProcesses(supervised_contrastive)(
                z, torch.zeros(2 if first else 4 if self.rank == 1 else 3)
            ),
            "optional": lambda: AcrossProcesses(losses.InBatchFSimilarityLoss())(z, y, *(() if first else (z, y))),
            "nested": lambda: AcrossProcesses(lambda tensors: tensors[0])([z, y]),
        }
        told = {}
        for name, case in cases.items():
            try:
                case()
            except ValueError as caught:
                told[name] = str(caught)
            dist.barrier()
        return told

    def cached(self) -> dict[str, float]:
        """Chunks through DDP with exchange at the last one only, as many chunks as each process likes."""
        batch = whole_batch(torch.double)
        own, loss = self.own(batch), losses.InBatchFSimilarityLoss("kl", "fisher_rao")
        encoder = make_encoder(torch.double)
        value = loss(encoder(batch["x"]), batch["soft"])
        value.backward()
        truth = [value.detach(), *gradients(encoder)]

        encoder = make_encoder(torch.double)
        net, exchanges = DistributedDataParallel(encoder), []

        def counted(state: None, bucket):
            exchanges.append(1)
            work = dist.all_reduce(bucket.buffer() / self.processes, async_op=True)
            return work.get_future().then(lambda done: done.value()[0])

        net.register_comm_hook(None, counted)
        everywhere = AcrossProcesses(loss)
        value = cached_backward(net, own["x"].split(2), lambda z: everywhere(z, own["soft"]), no_sync=net.no_sync)
        return {"error": error([value, *gradients(encoder)], truth), "exchanges": len(exchanges)}


def find(rank: int, processes: int, folder: Path) -> None:
    store = dist.FileStore(str(folder / f"{processes}.store"), processes)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=processes, timeout=timedelta(seconds=60))
    process, found = Process(rank, processes), {}
    for name, *how in LOSSES:
        for dtype in (torch.float64, torch.float32):
            found[f"{name} {str(dtype).removeprefix('torch.')}"] = process.against_the_whole(*how, dtype)
    for part in ("naive", "types", "own_gradient", "shared_reference", "errors", "cached"):
        found[part] = getattr(process, part)()
    (folder / f"{processes}.{rank}.json").write_text(json.dumps(found), encoding="utf-8")
    dist.barrier()  # nobody leaves while others still talk
    dist.destroy_process_group()


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    importlib.import_module("torch._dynamo")  # which DDP would load in each process, for seconds
    context = multiprocessing.get_context("fork")  # what is imported is imported once
    for processes in SHARES:
        running = [context.Process(target=find, args=(rank, processes, folder)) for rank in range(processes)]
        for process in running:
            process.start()
        for process in running:
            process.join()
        if any(process.exitcode for process in running):
            sys.exit(f"of {processes} processes some failed")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
