package main

func (a *assembly) vectors() {}
