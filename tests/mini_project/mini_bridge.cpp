#include "firmware/mini.h"
#include "firmware/nnet_utils/nnet_helpers.h"

namespace nnet {
bool trace_enabled = false;
std::map<std::string, void *> *trace_outputs = NULL;
} // namespace nnet

extern "C" {
struct trace_data {
    const char *name;
    void *data;
};

void allocate_trace_storage(size_t element_size) {
    nnet::trace_enabled = true;
    nnet::trace_outputs = new std::map<std::string, void *>;
    nnet::trace_outputs->insert(std::pair<std::string, void *>("fc1", malloc(2 * element_size)));
    nnet::trace_outputs->insert(std::pair<std::string, void *>("relu1", malloc(2 * element_size)));
    nnet::trace_outputs->insert(std::pair<std::string, void *>("out", malloc(2 * element_size)));
}

void collect_trace_output(struct trace_data *found) {
    int i = 0;
    for (auto &entry : *nnet::trace_outputs)
        found[i++] = {entry.first.c_str(), entry.second};
}

void mini_float(float *x, float *layer4_out) {
    input_t x_ap[3];
    nnet::convert_data<float, input_t, 3>(x, x_ap);
    result_t layer4_out_ap[2];
    mini(x_ap, layer4_out_ap);
    nnet::convert_data<result_t, float, 2>(layer4_out_ap, layer4_out);
}

void mini_double(double *x, double *layer4_out) {
    input_t x_ap[3];
    nnet::convert_data<double, input_t, 3>(x, x_ap);
    result_t layer4_out_ap[2];
    mini(x_ap, layer4_out_ap);
    nnet::convert_data<result_t, double, 2>(layer4_out_ap, layer4_out);
}
}
