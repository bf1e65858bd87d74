#include "mini.h"
#include "parameters.h"

void mini(input_t x[3], result_t layer4_out[2]) {
#ifndef __SYNTHESIS__
    static bool loaded_weights = false;
    if (!loaded_weights) {
        nnet::load_weights_from_txt<weight2_t, 6>(w2, "w2.txt");
        nnet::load_weights_from_txt<bias2_t, 2>(b2, "b2.txt");
        nnet::load_weights_from_txt<weight4_t, 4>(w4, "w4.txt");
        nnet::load_weights_from_txt<bias4_t, 2>(b4, "b4.txt");
        loaded_weights = true;
    }
#endif
    layer2_t layer2_out[2];
    nnet::dense<input_t, layer2_t, weight2_t, bias2_t, 3, 2>(x, layer2_out, w2, b2); // fc1
#ifndef __SYNTHESIS__
    nnet::save_layer_output<layer2_t>(layer2_out, "fc1", 2);
#endif
    layer3_t layer3_out[2];
    nnet::relu<layer2_t, layer3_t, 2>(layer2_out, layer3_out); // relu1
#ifndef __SYNTHESIS__
    nnet::save_layer_output<layer3_t>(layer3_out, "relu1", 2);
#endif
    nnet::dense<layer3_t, result_t, weight4_t, bias4_t, 2, 2>(layer3_out, layer4_out, w4, b4); // out
#ifndef __SYNTHESIS__
    nnet::save_layer_output<result_t>(layer4_out, "out", 2);
#endif
}
