# docker build -t damamba . && docker run --rm -v "$PWD:/data" damamba predict anna.mp4 ben.mp4 -o out
# Without a GPU; for one, take an image with CUDA as the base and install '.[cuda]'.
FROM python:3.12-slim-bookworm
WORKDIR /opt/damamba
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY damamba damamba
COPY damamba_sim damamba_sim
# links of damamba/template lead here
COPY dvc.yaml params.yaml ./
COPY stages stages
RUN pip install --no-cache-dir -c constraints.txt '.[simulate]'
# the face landmarker, which is otherwise fetched at the first prediction
ENV HOME=/opt/home DVC_NO_ANALYTICS=1 THP_MEM_ALLOC_ENABLE=1
RUN python -c "from damamba.predictor.passes import LANDMARKER, landmarker; landmarker(LANDMARKER.expanduser())" \
    && chmod -R a+rwX /opt/home
WORKDIR /data
ENTRYPOINT ["damamba"]
CMD ["--help"]
