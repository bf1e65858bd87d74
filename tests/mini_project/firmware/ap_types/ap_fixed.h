// Just enough of ap_fixed for this project: a value on the grid of W bits, I of them integer.
#ifndef AP_FIXED_H_
#define AP_FIXED_H_
#include <cmath>
#include <istream>

enum ap_q_mode { AP_RND_CONV, AP_TRN };
enum ap_o_mode { AP_SAT, AP_WRAP };

template <int W, int I, ap_q_mode Q = AP_TRN, ap_o_mode O = AP_WRAP> struct ap_fixed {
    double value;
    ap_fixed() : value(0) {}
    ap_fixed(double x) {
        const double scale = std::ldexp(1.0, W - I), span = std::ldexp(1.0, W), low = -span / 2;
        double code = Q == AP_TRN ? std::floor(x * scale) : std::nearbyint(x * scale);
        if (O == AP_SAT)
            code = std::fmax(low, std::fmin(code, -low - 1));
        else
            code -= span * std::floor((code - low) / span);
        value = code / scale;
    }
    operator double() const { return value; }
};

template <int W, int I, ap_q_mode Q, ap_o_mode O> std::istream &operator>>(std::istream &in, ap_fixed<W, I, Q, O> &x) {
    double value;
    in >> value;
    x = value;
    return in;
}
#endif
