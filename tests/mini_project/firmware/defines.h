#ifndef DEFINES_H_
#define DEFINES_H_
#include "ap_fixed.h"

// hls-fpga-machine-learning insert layer-precision
typedef ap_fixed<8,4,AP_RND_CONV,AP_SAT> input_t;
typedef ap_fixed<16,8> layer2_t;
typedef ap_fixed<6,1> weight2_t;
typedef ap_fixed<6,1> bias2_t;
typedef ap_fixed<8,5,AP_RND_CONV,AP_SAT> layer3_t;
typedef ap_fixed<12,6> result_t;
typedef ap_fixed<6,1> weight4_t;
typedef ap_fixed<6,1> bias4_t;
#endif
