"""The service as one writes it in a minute: FastAPI, an endpoint in a thread of its own, the net for each request.

Served by ``uvicorn benchmarks.service_plain:app`` with a run in ``RUN``, which ``service.py`` does. Front end
and net are those of the run, and uvicorn's and torch's settings are what they are when nobody touches them.
"""

import io
import os

import numpy as np
import soundfile
import soxr
import torch
from fastapi import FastAPI, UploadFile
from PIL import Image

from affectspace.training import load_model

if "THREADS" in os.environ:
    torch.set_num_threads(int(os.environ["THREADS"]))
model = load_model(os.environ["RUN"])
frontend = model.frontend
app = FastAPI()


@app.post("/predict")
def predict(file: UploadFile) -> dict[str, object]:
    content = io.BytesIO(file.file.read())
    if model.medium == "image":
        mode = "L" if frontend.dimensions == 1 else "RGB"
        pixels = np.asarray(Image.open(content).convert(mode))
        values = frontend.compute(pixels.reshape(*pixels.shape[:2], -1))
    else:
        samples, rate = soundfile.read(content, dtype="float32", always_2d=True)
        samples = samples.mean(axis=1)
        if rate != 16000:
            samples = soxr.resample(samples, rate, 16000)
        values = frontend.compute(samples)
    _, probabilities = model([values])
    shares = dict(zip(model.classes, probabilities[0].tolist()))
    return {"prediction": max(shares, key=lambda name: shares[name]), "probabilities": shares}
