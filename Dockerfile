# Trains on a machine with an NVIDIA GPU and the NVIDIA Container Toolkit; compose.yaml starts it.
# Checked by hadolint, not run where it was written, where there is no Docker daemon.
FROM python:3.12-slim

WORKDIR /src
COPY pyproject.toml setup.py README.md LICENSE ./
COPY mim_tf mim_tf
# CUDA and cuDNN come as Python packages; the machine gives the driver.
RUN pip install --no-cache-dir . "tensorflow[and-cuda]>=2.21"

WORKDIR /mim
ENTRYPOINT ["mim"]
CMD ["--help"]
