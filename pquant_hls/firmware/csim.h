// Between doubles and the values of a firmware's ports, and the probes that note what its layers compute.
#ifndef PQUANT_CSIM_H_
#define PQUANT_CSIM_H_
#include <array>
#include <cstddef>
#include <map>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace pquant {

// Any value as a row of doubles: numbers, arrays, pairs, tuples, and what has a size and an index.
template <class T, class = void> struct Flat {
    static void take(T &into, const double *&from) { into = T(*from++); }
    static void give(const T &from, double *&into) { *into++ = static_cast<double>(from); }
};
template <class T> struct Flat<T, std::void_t<typename T::value_type, decltype(T::size)>> {
    static void take(T &into, const double *&from) {
        for (std::size_t i = 0; i < T::size; i++)
            Flat<typename T::value_type>::take(into[i], from);
    }
    static void give(const T &from, double *&into) {
        T copy = from;
        for (std::size_t i = 0; i < T::size; i++)
            Flat<typename T::value_type>::give(copy[i], into);
    }
};
template <class T, std::size_t N> struct Flat<T[N]> {
    static void take(T (&into)[N], const double *&from) {
        for (std::size_t i = 0; i < N; i++)
            Flat<T>::take(into[i], from);
    }
    static void give(const T (&from)[N], double *&into) {
        for (std::size_t i = 0; i < N; i++)
            Flat<T>::give(from[i], into);
    }
};
template <class T, std::size_t N> struct Flat<std::array<T, N>> {
    static void take(std::array<T, N> &into, const double *&from) {
        for (T &value : into)
            Flat<T>::take(value, from);
    }
    static void give(const std::array<T, N> &from, double *&into) {
        for (const T &value : from)
            Flat<T>::give(value, into);
    }
};
template <class A, class B> struct Flat<std::pair<A, B>> {
    static void take(std::pair<A, B> &into, const double *&from) {
        Flat<A>::take(into.first, from);
        Flat<B>::take(into.second, from);
    }
    static void give(const std::pair<A, B> &from, double *&into) {
        Flat<A>::give(from.first, into);
        Flat<B>::give(from.second, into);
    }
};
template <class... T> struct Flat<std::tuple<T...>> {
    static void take(std::tuple<T...> &into, const double *&from) {
        std::apply([&](T &...value) { (Flat<T>::take(value, from), ...); }, into);
    }
    static void give(const std::tuple<T...> &from, double *&into) {
        std::apply([&](const T &...value) { (Flat<T>::give(value, into), ...); }, from);
    }
};

template <class T> void take_array(T *into, std::size_t count, const double *from) {
    for (std::size_t i = 0; i < count; i++)
        Flat<T>::take(into[i], from);
}
template <class T> void give_array(const T *from, std::size_t count, double *into) {
    for (std::size_t i = 0; i < count; i++)
        Flat<T>::give(from[i], into);
}
// The words of a stream in turn; false where more or fewer values come than there is room for.
template <class S> void take_stream(S &into, std::size_t count, const double *from) {
    using Word = std::decay_t<decltype(into.read())>;
    for (const double *end = from + count; from < end;) {
        Word word;
        Flat<Word>::take(word, from);
        into.write(word);
    }
}
template <class S> bool give_stream(S &from, std::size_t count, double *into) {
    using Word = std::decay_t<decltype(from.read())>;
    double *end = into + count;
    while (!from.empty()) {
        Word word = from.read();
        static double scratch[sizeof(Word)];
        double *first = scratch, *last = scratch;
        Flat<Word>::give(word, last);
        for (; first < last && into < end; first++)
            *into++ = *first;
        if (first < last)
            return false;
    }
    return into == end;
}

// Rows that probes write to; none while nobody asks for the layers.
inline double *const *probes = nullptr;

template <class T> void probe(std::size_t place, const T *values, std::size_t count) {
    if (probes != nullptr)
        give_array(values, count, probes[place]);
}
template <class S> void probe_stream(std::size_t place, S &stream, std::size_t count) {
    if (probes == nullptr)
        return;
    using Word = std::decay_t<decltype(stream.read())>;
    double *into = probes[place], *end = into + count;
    const std::size_t words = stream.size();
    for (std::size_t i = 0; i < words; i++) { // read and written again, in the same order
        Word word = stream.read();
        static double scratch[sizeof(Word)];
        double *last = scratch;
        Flat<Word>::give(word, last);
        for (double *first = scratch; first < last && into < end;)
            *into++ = *first++;
        stream.write(word);
    }
}

} // namespace pquant
#endif
