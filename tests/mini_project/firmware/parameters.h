#ifndef PARAMETERS_H_
#define PARAMETERS_H_
#include "nnet_utils/nnet_helpers.h"
#include "weights/w2.h"
#include "weights/b2.h"
#include "weights/w4.h"
#include "weights/b4.h"
#endif
