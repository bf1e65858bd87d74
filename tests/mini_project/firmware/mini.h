#ifndef MINI_H_
#define MINI_H_
#include "defines.h"
void mini(input_t x[3], result_t layer4_out[2]);
#endif
