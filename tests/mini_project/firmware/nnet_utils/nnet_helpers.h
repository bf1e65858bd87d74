#ifndef NNET_HELPERS_H_
#define NNET_HELPERS_H_
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <string>

#ifndef WEIGHTS_DIR
#define WEIGHTS_DIR "weights"
#endif

namespace nnet {
extern bool trace_enabled;
extern std::map<std::string, void *> *trace_outputs;

template <class T, size_t SIZE> void load_weights_from_txt(T *w, const char *name) {
    std::ifstream file(std::string(WEIGHTS_DIR) + "/" + name);
    if (file.fail()) {
        std::cerr << "ERROR: file " << name << " does not exist" << std::endl;
        exit(1);
    }
    std::string line, token;
    std::getline(file, line);
    std::istringstream words(line);
    size_t i = 0;
    for (; i < SIZE && std::getline(words, token, ','); i++)
        std::istringstream(token) >> w[i];
    if (i != SIZE)
        std::cerr << "ERROR: Expected " << SIZE << " values but read only " << i << std::endl;
}

template <class S, class T, size_t SIZE> void convert_data(S *from, T *to) {
    for (size_t i = 0; i < SIZE; i++)
        to[i] = T(from[i]);
}

template <class T> void save_layer_output(T *data, const char *name, size_t size) {
    if (trace_enabled && trace_outputs->count(name))
        for (size_t i = 0; i < size; i++)
            static_cast<double *>((*trace_outputs)[name])[i] = data[i];
}

template <class X, class Y, class W, class B, int N, int M> void dense(X x[N], Y y[M], W w[N * M], B b[M]) {
    for (int j = 0; j < M; j++) {
        double sum = b[j];
        for (int i = 0; i < N; i++)
            sum += x[i] * w[i * M + j];
        y[j] = sum;
    }
}

template <class X, class Y, int N> void relu(X x[N], Y y[N]) {
    for (int i = 0; i < N; i++)
        y[i] = x[i] > 0 ? double(x[i]) : 0.0;
}
} // namespace nnet
#endif
