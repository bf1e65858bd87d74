from pquant_hls.spec.hls import HlsSpec
